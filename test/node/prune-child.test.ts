// A pruning process and the one that waits for it, both built: what passes between them, and what is left when one of them dies.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test, vi } from "vitest";
import { DEMO_MODEL, ROOT, whyNotBuilt } from "../helpers/built.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

const reason = whyNotBuilt() ?? (process.platform === "linux" ? undefined : "it looks for processes in /proc");

const PARENT = `
import { pruneInChild } from "${pathToFileURL(join(ROOT, "dist/node/prune-child.js"))}";
const [request, folder] = process.argv.slice(1);
try {
  const report = ({ type }) => type === "layer" && process.send("layer");
  const { parameters, peakBytes } = await pruneInChild({ request: JSON.parse(request), folder }, report);
  process.send({ parameters, peakBytes });
} catch ({ kind, message, hint }) {
  process.send({ kind, message, hint });
}
process.disconnect();
`;

const text = readFileSync(join(ROOT, "data/calibration-mix.txt"), "utf8").slice(0, 20_000);
const SMALL = { preset: "wanda-sp", calibration: [{ name: "a.txt", text }], samples: 8, context: 32, threads: 1 };

interface Family {
  readonly parent: ChildProcess;
  /** Process id of the child that prunes. */
  child(): number;
  /** What was said, and then nothing more. */
  readonly ended: Promise<unknown[]>;
  /** Names in the folders for outputs and for temporary files. */
  left(): string[];
}

/** Starts both; `onLayer` is called when the first layer is finished. */
function start(options: object, onLayer: (family: Family) => void = () => {}): Family {
  const [folder, temporary] = [join(temporaryFolder(), "work"), join(temporaryFolder(), "tmp")];
  mkdirSync(temporary);
  const request = { model: DEMO_MODEL, output: join(folder, "pruned"), ...SMALL, ...options };
  const parent = spawn(process.execPath, ["--input-type=module", "-e", PARENT, JSON.stringify(request), folder], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const said: unknown[] = [];
  const family: Family = {
    parent,
    child: () => Number(readFileSync(`/proc/${parent.pid}/task/${parent.pid}/children`, "utf8").trim()),
    ended: new Promise((resolve) => parent.once("close", () => resolve(said))),
    left: () => [...(existsSync(folder) ? readdirSync(folder) : []), ...readdirSync(temporary)],
  };
  parent.on("message", (message) => {
    if (said.push(message) === 1 && message === "layer") onLayer(family);
  });
  return family;
}

describe.skipIf(reason)(`a process that prunes${reason ? ` (${reason})` : ""}`, () => {
  test("tells its events and its result, its peak of memory among them", async () => {
    const { ended, left } = start({});
    const said = await ended;
    expect(said.slice(0, -1)).toEqual(new Array(8).fill("layer"));
    expect(said.at(-1)).toMatchObject({ parameters: { before: 2_230_400 } });
    expect((said.at(-1) as { peakBytes: number }).peakBytes).toBeGreaterThan(50e6);
    expect(left()).toEqual(["pruned"]);
  });

  test("tells what it refuses as the error that it is", async () => {
    const { ended, left } = start({ preset: "llm-pruner" });
    expect(await ended).toEqual([
      { kind: "budget", message: expect.stringContaining("cannot be reached"), hint: expect.any(String) },
    ]);
    expect(left()).toEqual([]);
  });

  test("that is killed is thought to have run out of memory, and its temporary files go", async () => {
    const { ended, left } = start({}, ({ child }) => process.kill(child(), "SIGKILL"));
    const message = "pruning was ended by SIGKILL: out of memory?";
    expect((await ended).at(-1)).toEqual({ kind: "budget", message, hint: undefined });
    expect(left().filter((name) => !name.startsWith(".comp-"))).toEqual([]); // the folder of outputs is its owner's to remove
  });

  test("that is told to end takes its unfinished output along", async () => {
    const { ended, left } = start({}, ({ child }) => process.kill(child(), "SIGTERM"));
    expect((await ended).at(-1)).toMatchObject({ message: "pruning ended with code 143" });
    expect(left()).toEqual([]);
  });

  test("does not outlive the one that waits for it, and leaves nothing", async () => {
    let orphan = 0;
    const { ended, left } = start({ samples: 64, context: 64 }, ({ parent, child }) => {
      orphan = child();
      parent.kill("SIGKILL");
    });
    await ended;
    expect(orphan).toBeGreaterThan(0);
    await vi.waitFor(() => expect(existsSync(`/proc/${orphan}`)).toBe(false), { timeout: 60_000 });
    expect(left()).toEqual([]);
  });
});
