// Nothing that is opened may stay open: Node closes what is forgotten at some garbage collection, with a warning.
import { copyFileSync, existsSync, mkdirSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

import type { Checkpoint } from "../../src/checkpoint/checkpoint.ts";
import { evaluate } from "../../src/node/evaluate.ts";
import { generate, inspect } from "../../src/node/measure.ts";
import { withPaths } from "../../src/node/open-path.ts";
import { type PruneRequest, prune } from "../../src/node/prune.ts";
import { DEMO_MODEL } from "../helpers/built.ts";
import { fixturePath, tinyPath } from "../helpers/fixtures.ts";
import { prose, SMALL } from "../helpers/prune-demo.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

const DESCRIPTORS = "/proc/self/fd";

/** The files below a folder that this process has open. */
const openBelow = (folder: string): string[] =>
  readdirSync(DESCRIPTORS).flatMap((descriptor) => {
    try {
      const path = readlinkSync(join(DESCRIPTORS, descriptor));
      return path.startsWith(folder) ? [path] : [];
    } catch {
      return []; // the descriptor by which the folder was listed
    }
  });

/** A place of the test's own with the demo model in it. */
function place(): { folder: string; model: string } {
  const folder = temporaryFolder();
  const model = join(folder, "demo");
  mkdirSync(model);
  for (const file of readdirSync(DEMO_MODEL)) copyFileSync(join(DEMO_MODEL, file), join(model, file));
  return { folder, model };
}

const FAST: Omit<PruneRequest, "model" | "output"> = {
  ...SMALL,
  preset: "wanda-sp",
  sparsity: 0.2,
  samples: 8,
  probes: 0,
};

async function run(request: PruneRequest, most = Number.POSITIVE_INFINITY): Promise<void> {
  let count = 0;
  for await (const _ of prune(request)) if (++count >= most) return;
}

test.skipIf(!existsSync(DESCRIPTORS))(
  "a run leaves no file open, whatever came of it",
  async () => {
    const { folder, model } = place();
    const file = join(folder, "a.gguf");
    await run({ model, output: file, widths: "equal", ...FAST });
    expect(openBelow(folder)).toEqual([]);
    await run({ model: file, output: join(folder, "out"), maxShardSize: "500KB", ...FAST });
    expect(openBelow(folder)).toEqual([]);
    for (const most of [2, 6, 14]) await run({ model: file, output: join(folder, "b.gguf"), ...FAST }, most);
    expect(openBelow(folder)).toEqual([]);
    await expect(run({ model, output: join(folder, "c"), ...FAST, sparsity: 0.99 })).rejects.toThrow();
    await expect(
      run({ model, output: join(folder, "d"), ...FAST, calibration: [{ name: "x", text: "a" }] }),
    ).rejects.toThrow();
    expect(openBelow(folder)).toEqual([]);
  },
  60_000,
);

test.skipIf(!existsSync(DESCRIPTORS))(
  "looking at a model leaves no file open, nor at what is none",
  async () => {
    const { folder, model } = place();
    await inspect({ model });
    const text = prose;
    for await (const _ of evaluate({ model, dense: model, text, context: 64, windows: 2 }));
    for await (const _ of generate({ model, prompt: "The", maxTokens: 2 })) break;
    const missing = evaluate({ model, dense: join(folder, "nothing"), text });
    await expect(missing.next()).rejects.toThrow("does not exist");
    const broken = join(folder, "broken.gguf");
    writeFileSync(broken, "GGUF and so on");
    writeFileSync(join(model, "config.json"), "{}");
    for (const path of [broken, model, join(model, "tokenizer.json")])
      await expect(inspect({ model: path })).rejects.toThrow();
    writeFileSync(join(model, "model.safetensors"), "no weights");
    await expect(inspect({ model })).rejects.toThrow();
    expect(openBelow(folder)).toEqual([]);
  },
  60_000,
);

test("what is still being opened when another path fails is closed as well", async () => {
  const opened: Checkpoint[] = [];
  const failing = withPaths((open) => {
    const missing = open(join(temporaryFolder(), "nothing"));
    const others = [tinyPath("llama"), fixturePath("sample.gguf")].map(async (path) => opened.push(await open(path)));
    return Promise.all([missing, ...others]);
  });
  await expect(failing).rejects.toThrow("does not exist");
  expect(opened).toHaveLength(2);
  for (const checkpoint of opened) await expect(checkpoint.fingerprint()).rejects.toThrow("file closed");
});
