// llama.cpp in a process of its own: what it answers, and what is told when that process comes to an end before.
import { fork } from "node:child_process";
import { once } from "node:events";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { askLlamaCpp } from "../../src/node/llama-cpp.ts";
import { ROOT } from "../helpers/built.ts";
import { copyToGguf } from "../helpers/copy-to-gguf.ts";
import { compError } from "../helpers/errors.ts";
import { shortDemo } from "../helpers/small-models.ts";
import { sharedFolder, temporaryFolder } from "../helpers/temporary.ts";
import { withModel } from "../helpers/written.ts";

const shared = sharedFolder();
const path = join(shared, "demo.gguf");
beforeAll(() => withModel(shortDemo(shared, 1), (model) => copyToGguf(model, path, "f16")));

const job = { path, ids: [55, 1112, 306], count: 2, threads: 1 };

test("a choice for each of the last tokens, the same each time", async () => {
  const answer = await askLlamaCpp(job);
  expect(answer).toEqual({ loaded: true, firstTokens: [expect.any(Number), expect.any(Number)] });
  expect(await askLlamaCpp({ ...job, ids: job.ids.slice(0, 2), count: 1 })).toEqual({
    loaded: true,
    firstTokens: answer.loaded ? answer.firstTokens.slice(0, 1) : [],
  });
});

test("what it cannot bear is told, and ends nothing but its own process", async () => {
  const { kind, message } = await compError(askLlamaCpp({ ...job, ids: [55, 1e9], count: 1 }));
  expect(kind).toBe("checkpoint");
  expect(message).toContain("demo.gguf: llama.cpp does not run it: ");
});

test("without the package there is nothing to ask, which is said", async () => {
  const [name, elsewhere] = ["llama-cpp-main.ts", temporaryFolder()]; // no node_modules above it
  for (const file of [name, "start-llama-cpp.ts"]) copyFileSync(join(ROOT, "src/node", file), join(elsewhere, file));
  const child = fork(join(elsewhere, name), { execArgv: ["--import", "tsx"], cwd: ROOT });
  const said = once(child, "message");
  child.send(job);
  expect((await said)[0]).toEqual({ type: "absent", reason: "node-llama-cpp is not installed" });
});

test("a signal ends it", async () => {
  const controller = new AbortController();
  const asking = askLlamaCpp(job, controller.signal);
  controller.abort();
  await expect(asking).rejects.toMatchObject({ name: "AbortError" });
});
