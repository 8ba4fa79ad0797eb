// Configurations that no honest program wrote, beside weights that are there: they are refused in a line, or describe these weights.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Checkpoint, MetadataValue } from "../../../src/checkpoint/checkpoint.ts";
import { CompError } from "../../../src/errors.ts";
import { FAMILIES } from "../../../src/model/families/index.ts";
import { openModel } from "../../../src/model/model.ts";
import { modelTensors } from "../../../src/model/spec/tensor-names.ts";
import { openPath } from "../../../src/node/open-path.ts";
import { openTokenizer } from "../../../src/tokenizer/tokenizer.ts";
import { DEMO_MODEL } from "../../helpers/built.ts";
import { copyToGguf } from "../../helpers/copy-to-gguf.ts";
import { FAMILY_FIXTURES, TINY_FAMILIES, tinyPath } from "../../helpers/fixtures.ts";
import { sharedFolder } from "../../helpers/temporary.ts";
import { withModel } from "../../helpers/written.ts";

const SEED = 20_261_130;
const NAMES = [...TINY_FAMILIES, ...Object.keys(FAMILY_FIXTURES)];
const checkpoints = new Map<string, Checkpoint>();
beforeAll(async () => {
  for (const name of NAMES) checkpoints.set(name, await openPath(tinyPath(name)));
});
afterAll(async () => {
  for (const checkpoint of checkpoints.values()) await checkpoint.close();
});

/** A checkpoint with another config.json. */
const withConfig = (checkpoint: Checkpoint, text: string): Checkpoint => ({
  ...checkpoint,
  readText: async (file) => (file === "config.json" ? text : checkpoint.readText(file)),
});

async function opensOrRefuses(checkpoint: Checkpoint): Promise<void> {
  try {
    const { spec, tensors } = await openModel(checkpoint);
    for (const { name, shape } of modelTensors(spec)) expect(tensors.get(name)?.shape).toEqual(shape);
  } catch (error) {
    if (!(error instanceof CompError)) throw error;
    expect(error.message).toMatch(/^[^\p{Cc}]{1,1000}$/u);
  }
}

const HOSTILE: readonly unknown[] = [
  ...[0, -1, 1, 2, 3, 1.5, 4096, 16_384, 262_144, 1e9, 2 ** 31, 2 ** 53, 1e300],
  ...[
    "4",
    "",
    "llama",
    null,
    true,
    false,
    [],
    {},
    [4],
    ["linear"],
    [[4]],
    { a: 1 },
    { rope_type: ["linear"], factor: 2 },
  ],
];

describe.each(NAMES)("%s", (name) => {
  const config = JSON.parse(readFileSync(`${tinyPath(name)}/config.json`, "utf8")) as Record<string, unknown>;
  const inner = (config.text_config ?? config) as Record<string, unknown>;
  const family = FAMILIES.find(({ modelType }) => modelType === inner.model_type)!;
  const keys = [...new Set([...Object.keys(inner), ...Object.keys(family.defaults), "layer_types", "rope_scaling"])];

  test("with each of its fields hostile", async () => {
    const change = fc.tuple(fc.constantFrom(...keys), fc.constantFrom(...HOSTILE));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        const changed = { ...inner, ...Object.fromEntries(changes) };
        const whole = config.text_config ? { ...config, text_config: changed } : changed;
        await opensOrRefuses(withConfig(checkpoints.get(name)!, JSON.stringify(whole)));
      }),
      { numRuns: 60, seed: SEED },
    );
  });

  test("with the largest sizes that are taken", async () => {
    const { names } = family;
    const largest = { [names.layers]: 4096, [names.heads]: 16_384, [names.hiddenSize]: 262_144, vocab_size: 2 ** 24 };
    const groups = names.keyValueHeads === null ? {} : { [names.keyValueHeads]: 16_384 };
    const changed = { ...inner, ...largest, ...groups, layer_types: undefined };
    const whole = config.text_config ? { ...config, text_config: changed } : changed;
    await opensOrRefuses(withConfig(checkpoints.get(name)!, JSON.stringify(whole)));
  });
});

test("a kind of rotation in a list is none", async () => {
  const config = JSON.parse(readFileSync(`${tinyPath("llama")}/config.json`, "utf8")) as object;
  const changed = { ...config, rope_parameters: { rope_type: ["linear"], factor: 2, rope_theta: 10_000 } };
  const opening = openModel(withConfig(checkpoints.get("llama")!, JSON.stringify(changed)));
  await expect(opening).rejects.toThrow('asks for rotary embedding of kind ["linear"], which is not supported');
});

test.each([
  ["a size of lists in lists", `{"model_type":"llama","hidden_size":${"[".repeat(1e5)}${"]".repeat(1e5)}}`],
  ["a name of a family of a million letters", `{"model_type":"${"x".repeat(1e6)}"}`],
  ["no JSON, but a string of quotation marks", `{"model_type":"${'\\"'.repeat(5e5)}`],
])("%s", async (_, text) => opensOrRefuses(withConfig(checkpoints.get("llama")!, text)));

describe("the header of a GGUF file", () => {
  const path = join(sharedFolder(), "demo.gguf");
  let checkpoint: Checkpoint;
  beforeAll(async () => {
    await withModel(DEMO_MODEL, (model) => copyToGguf(model, path, "q8_0"));
    checkpoint = await openPath(path);
  });
  afterAll(() => checkpoint.close());

  test("with each of its values hostile", async () => {
    const values = [...HOSTILE, 2n ** 63n, -(2n ** 62n), "a\nb"] as MetadataValue[];
    const change = fc.tuple(fc.constantFrom(...checkpoint.metadata.keys()), fc.constantFrom(...values));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 2 }), async (changes) => {
        const changed = { ...checkpoint, metadata: new Map([...checkpoint.metadata, ...changes]) };
        await opensOrRefuses(changed);
        await openTokenizer(changed).catch((error: unknown) => expect(error).toBeInstanceOf(CompError));
      }),
      { numRuns: 100, seed: SEED },
    );
  });
});
