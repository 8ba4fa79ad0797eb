// The whole method on the demo model, through the library.
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openFolder } from "../../src/checkpoint/open-checkpoint.ts";
import type { PruneResult } from "../../src/events/prune.ts";
import { type Model, openModel } from "../../src/model/model.ts";
import { folderSource } from "../../src/node/folder-source.ts";
import { prune } from "../../src/node/prune.ts";
import type { Criterion, Recovery } from "../../src/options/prune.ts";
import { DEMO_MODEL } from "../helpers/built.ts";
import { compError } from "../helpers/errors.ts";
import { TINY_FAMILIES, tinyPath } from "../helpers/fixtures.ts";
import { eventsOf, prose, pruneDemo, SMALL } from "../helpers/prune-demo.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

/** Two of the eight layers stay, and lose more than half of their neurons: enough to show all, in little time. */
const TWO_LAYERS = { layers: [1, 2, 3, 4, 5, 6], sparsity: 0.76 };

const newOutput = (): string => join(temporaryFolder(), "out");

async function withModel<T>(path: string, use: (model: Model) => Promise<T>): Promise<T> {
  const checkpoint = await openFolder(folderSource(path));
  try {
    return await use(await openModel(checkpoint));
  } finally {
    await checkpoint.close();
  }
}

const readConfig = (path: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(path, "config.json"), "utf8")) as Record<string, unknown>;

const requestIn = (folder: string) => ({ model: DEMO_MODEL, output: join(folder, "out"), ...SMALL });

const weightsOf = (path: string): Buffer => readFileSync(join(path, "model.safetensors"));

/** The demo model with another config.json. */
function demoCopy(change: (config: Record<string, unknown>) => Record<string, unknown> = (config) => config): string {
  const folder = join(temporaryFolder(), "model");
  cpSync(DEMO_MODEL, folder, { recursive: true });
  writeFileSync(join(folder, "config.json"), JSON.stringify(change(readConfig(DEMO_MODEL))));
  return folder;
}

/** Puts f16 bits at the first element of a tensor. */
function overwriteFirstElement(folder: string, name: string, bits: number): void {
  const file = join(folder, "model.safetensors");
  const bytes = readFileSync(file);
  const headerSize = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + headerSize).toString()) as Record<string, { data_offsets: number[] }>;
  bytes.writeUInt16LE(bits, 8 + headerSize + header[name]!.data_offsets[0]!);
  writeFileSync(file, bytes);
}

describe("the result", () => {
  test("has the shapes and the parameters that the plan and the result tell, and opens as a model", async () => {
    const output = newOutput();
    const events = await eventsOf({ output, sparsity: 0.2, layers: 0 });
    const plan = events.find((event) => event.type === "plan")!;
    const last = events.at(-1)!;
    if (last.type !== "done") throw new Error(last.type);
    const { result } = last;
    expect(result.parameters).toEqual(plan.parameters);
    expect(result.sparsity.all).toBeGreaterThanOrEqual(0.2);
    expect(readConfig(output).intermediate_size).toBe(result.intermediateSize.after);
    await withModel(output, async ({ spec, tensors }) => {
      expect(spec.layers).toHaveLength(8);
      const width = result.intermediateSize.after;
      expect(tensors.get("model.layers.7.mlp.gate_proj.weight")!.shape).toEqual([width, 128]);
      expect(tensors.get("model.layers.7.mlp.down_proj.weight")!.shape).toEqual([128, width]);
      const elements = [...tensors.values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
      expect(elements).toBe(result.parameters.after);
    });
    expect(new Set(readdirSync(output))).toEqual(new Set([...result.files, "README.md", "pruning.json"]));
  });

  test("tells the kept neurons of each layer, whose rows are in the output", async () => {
    const output = newOutput();
    const { layers } = await pruneDemo({ output, ...TWO_LAYERS });
    expect(layers.map(({ index }) => index)).toEqual([0, 7]);
    const read = (path: string, layer: number) =>
      withModel(path, (model) => model.read(`model.layers.${layer}.mlp.up_proj.weight`));
    for (const [position, { index, kept, keptNeurons }] of layers.entries()) {
      expect(kept).toHaveLength(keptNeurons);
      expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
      const [source, pruned] = [await read(DEMO_MODEL, index), await read(output, position)];
      const expected = kept.flatMap((neuron) => [...source.subarray(neuron * 128, (neuron + 1) * 128)]);
      expect([...pruned]).toEqual(expected);
    }
  });

  test("is byte for byte the same for the same seed", async () => {
    const [first, second] = [newOutput(), newOutput()];
    await pruneDemo({ output: first, ...TWO_LAYERS });
    await pruneDemo({ output: second, ...TWO_LAYERS });
    expect(weightsOf(first).equals(weightsOf(second))).toBe(true);
  });

  test("is another for another seed, which draws other windows", async () => {
    const [first, second] = [newOutput(), newOutput()];
    await pruneDemo({ output: first, ...TWO_LAYERS });
    await pruneDemo({ output: second, ...TWO_LAYERS, seed: 1 });
    expect(weightsOf(first).equals(weightsOf(second))).toBe(false);
  });

  test("keeps every weight bit for bit at sparsity 0", async () => {
    const output = newOutput();
    const { quality } = await pruneDemo({ output, sparsity: 0 });
    await withModel(DEMO_MODEL, (source) =>
      withModel(output, async (written) => {
        expect([...written.tensors.keys()].sort()).toEqual([...source.tensors.keys()].sort());
        for (const [name, { dtype }] of source.tensors) {
          expect(written.tensors.get(name)!.dtype).toBe(dtype);
          const [own, expected] = [await written.read(name), await source.read(name)];
          expect(Buffer.from(own.buffer).equals(Buffer.from(expected.buffer)), name).toBe(true);
        }
      }),
    );
    expect(quality.klDivergence).toBeCloseTo(0, 6);
    expect(quality.topOneAgreement).toBe(1);
  });

  test("can be pruned again", async () => {
    const [first, second] = [newOutput(), newOutput()];
    await pruneDemo({ output: first, sparsity: 0.2 });
    const { parameters, intermediateSize } = await pruneDemo({ model: first, output: second, sparsity: 0.2 });
    expect(intermediateSize.before).toBe(readConfig(first).intermediate_size);
    await withModel(second, async ({ spec }) => expect(spec.layers[0]!.intermediateSize).toBe(intermediateSize.after));
    expect(parameters.after).toBeLessThanOrEqual(0.8 * parameters.before);
  });

  test("with widths of its own for each layer can be pruned again; at sparsity 0 it stays as it is", async () => {
    const [first, second, third] = [newOutput(), newOutput(), newOutput()];
    const widths = ({ layers }: PruneResult): number[] => layers.map(({ keptNeurons }) => keptNeurons);
    const once = await pruneDemo({ output: first, sparsity: 0.2, criterion: "loss", widths: "per-layer" });
    expect(new Set(widths(once)).size).toBeGreaterThan(1);
    const same = await pruneDemo({ model: first, output: second, sparsity: 0 });
    expect(widths(same)).toEqual(widths(once));
    expect(same.sparsity.all).toBe(0);
    const twice = await pruneDemo({ model: first, output: third, sparsity: 0.1, layers: 0 });
    expect(twice.sparsity.all).toBeGreaterThanOrEqual(0.1);
    expect(twice.sparsity.all).toBeLessThan(0.15);
    widths(twice).forEach((width, layer) => {
      expect(width).toBeLessThanOrEqual(widths(once)[layer]!);
    });
  });

  test("takes the element type and the file size that are asked for", async () => {
    const output = newOutput();
    const { files } = await pruneDemo({ output, sparsity: 0.2, dtype: "bf16", maxShardSize: "1MB" });
    expect(files.filter((file) => file.endsWith(".safetensors")).length).toBeGreaterThan(1);
    expect(readConfig(output).dtype).toBe("bfloat16");
    await withModel(output, async ({ tensors }) =>
      expect([...tensors.values()].every(({ dtype }) => dtype === "BF16")).toBe(true),
    );
  });
});

describe("layers", () => {
  test("a list removes those, and cuts the lists of config.json", async () => {
    const output = newOutput();
    const types = ["full", "sliding"].flatMap((kind) => new Array<string>(4).fill(`${kind}_attention`));
    const model = demoCopy((config) => ({ ...config, layer_types: types, sliding_window: 512 }));
    const { layersRemoved } = await pruneDemo({ model, output, layers: [6, 0], sparsity: 0.2 });
    expect(layersRemoved).toEqual([0, 6]);
    const config = readConfig(output);
    expect(config.num_hidden_layers).toBe(6);
    expect(config.layer_types).toEqual(types.filter((_, i) => i !== 0 && i !== 6));
    await withModel(DEMO_MODEL, (source) =>
      withModel(output, async (written) =>
        expect(await written.read("model.layers.0.self_attn.q_proj.weight")).toEqual(
          await source.read("model.layers.1.self_attn.q_proj.weight"),
        ),
      ),
    );
  });

  test("a number removes as many, and not the first, which turns the hidden states most", async () => {
    const output = newOutput();
    const { layersRemoved, intermediateSize } = await pruneDemo({ output, layers: 2, sparsity: 0.2 });
    expect(layersRemoved).toHaveLength(2);
    expect(layersRemoved).not.toContain(0);
    expect(intermediateSize.after).toBe(512); // two layers of eight are a fifth already
    expect(readConfig(output).num_hidden_layers).toBe(6);
  });

  test("without trials none are removed at a sparsity that the neurons can reach", async () => {
    const output = newOutput();
    expect((await pruneDemo({ output, sparsity: 0.3, preset: "osscar" })).layersRemoved).toEqual([]);
  });
});

describe("families", () => {
  /** A tokenizer of the printable characters: the tiny checkpoints know 96 tokens and have none. */
  const characters = [...Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)), "\n"];
  const tokenizer = {
    version: "1.0",
    added_tokens: [],
    model: { type: "BPE", vocab: Object.fromEntries(characters.map((text, id) => [text, id])), merges: [] },
  };

  test.each(TINY_FAMILIES)("%s is pruned, written and read back", async (family) => {
    const model = join(temporaryFolder(), family);
    cpSync(tinyPath(family), model, { recursive: true });
    writeFileSync(join(model, "tokenizer.json"), JSON.stringify(tokenizer));
    const output = newOutput();
    const calibration = [{ name: "ascii.txt", text: prose.text.replace(/[^ -~]/g, "") }];
    const result = await pruneDemo({
      model,
      output,
      sparsity: 0.1,
      calibration,
      samples: 8,
      context: 24,
      multipleOf: 8,
    });
    expect(result.sparsity.all).toBeGreaterThanOrEqual(0.1);
    expect(result.quality.klDivergence).toBeGreaterThan(0);
    const before = await withModel(model, async ({ spec }) => spec);
    await withModel(output, async ({ spec }) => {
      const layers = before.layers.map((layer) => ({ ...layer, intermediateSize: result.intermediateSize.after }));
      expect(spec).toEqual({ ...before, layers });
    });
  });
});

describe("criteria and recoveries", () => {
  const criteria: Criterion[] = ["loss", "obs", "condition", "wanda", "fluctuation", "taylor", "magnitude", "random"];
  const recoveries: Recovery[] = ["none", "mask", "least-squares", "bias"];

  test.each(criteria)(
    "%s runs with every recovery, and least squares is nearer to the dense model than none",
    async (criterion) => {
      const divergence: Partial<Record<Recovery, number>> = {};
      for (const recovery of recoveries) {
        const { quality, layers } = await pruneDemo({ output: newOutput(), ...TWO_LAYERS, criterion, recovery });
        divergence[recovery] = quality.klDivergence;
        if (recovery !== "none")
          for (const { errorBefore, errorAfter } of layers) expect(errorAfter).toBeLessThan(errorBefore);
      }
      expect(divergence["least-squares"]).toBeLessThan(divergence.none!);
    },
  );

  test("a chosen criterion is nearer to the dense model than chance", async () => {
    const divergence = async (criterion: Criterion): Promise<number> =>
      (await pruneDemo({ output: newOutput(), sparsity: 0.3, criterion })).quality.klDivergence;
    expect(await divergence("obs")).toBeLessThan(await divergence("random"));
  });
});

describe("calibration", () => {
  test("on text of the model's own when none is given", async () => {
    const events = await eventsOf({ output: newOutput(), ...TWO_LAYERS, calibration: [], samples: 4, context: 16 });
    expect(events.find((event) => event.type === "calibration")).toEqual({
      type: "calibration",
      source: "self-generated",
      names: [],
      windows: 4,
      ownWindows: 4,
      context: 16,
      tokens: 64,
    });
    const steps = events.flatMap((event) => (event.type === "stage" && event.name === "generate" ? [event.done] : []));
    expect(steps.at(-1)).toBe((4 + 8) * 16);
  });

  test("too little text is refused, saying how much is needed", async () => {
    const calibration = [{ name: "short.txt", text: prose.text.slice(0, 300) }];
    const error = await compError(eventsOf({ output: newOutput(), calibration }));
    expect(error.kind).toBe("calibration");
    expect(error.message).toMatch(/the calibration text has \d+ tokens; 32 windows of 48 need 384/);
  });
});

describe("refusals leave nothing behind", () => {
  const refusal = async (request: object) => {
    const folder = temporaryFolder();
    const error = await compError(eventsOf({ output: join(folder, "out"), ...request }));
    expect(readdirSync(folder)).toEqual([]);
    return error;
  };

  test("a weight that is not a number, naming its tensor", async () => {
    const model = demoCopy();
    overwriteFirstElement(model, "model.layers.3.mlp.up_proj.weight", 0x7e00);
    const error = await refusal({ model });
    expect(error.kind).toBe("numeric");
    expect(error.message).toContain("model.layers.3.mlp.up_proj.weight holds NaN at [0, 0]");
  });

  test("a sparsity out of reach of the neurons", async () => {
    const { kind, message } = await refusal({ sparsity: 0.9, layers: 0 });
    expect(kind).toBe("budget");
    expect(message).toMatch(/a sparsity of 0.9 cannot be reached/);
  });

  test("a layer that the model does not have", async () => {
    const { kind, message } = await refusal({ layers: [8] });
    expect(kind).toBe("option");
    expect(message).toBe("--layers names layer 8; the model has layers 0 to 7");
  });

  test("all layers to be removed", async () => {
    expect((await refusal({ layers: 8 })).kind).toBe("budget");
  });

  test("an option out of range", async () => {
    expect((await refusal({ sparsity: 1.5 })).message).toBe("sparsity must be between 0 and 0.95, got 1.5");
  });

  test("a folder that is taken, which stays as it is", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "thesis.txt"), "dear");
    expect((await compError(eventsOf({ output: folder }))).message).toBe(`${folder} exists already`);
    const error = await compError(eventsOf({ output: folder, ...TWO_LAYERS, overwrite: true }));
    expect(error.message).toContain("it is no model");
    expect(readdirSync(folder)).toEqual(["thesis.txt"]);
  });

  test("the model's own folder, even with overwrite, and one that holds it", async () => {
    const parent = temporaryFolder();
    const model = join(parent, "model");
    cpSync(DEMO_MODEL, model, { recursive: true });
    writeFileSync(join(parent, "config.json"), "{}");
    const refused = (output: string) => compError(eventsOf({ model, output, ...TWO_LAYERS, overwrite: true }));
    expect((await refused(model)).message).toBe(`${model} is the model that is read`);
    expect((await refused(parent)).message).toBe(`${parent} is the folder of the model that is read`);
    expect(readdirSync(model)).toContain("model.safetensors");
  });

  test("a signal that comes while layers are being pruned", async () => {
    const folder = temporaryFolder();
    const controller = new AbortController();
    const run = async (): Promise<void> => {
      for await (const event of prune({ ...requestIn(folder), signal: controller.signal })) {
        if (event.type === "layer") controller.abort();
      }
    };
    expect((await compError(run())).kind).toBe("aborted");
    expect(readdirSync(folder)).toEqual([]);
  });

  test("a signal that comes while layers are being chosen", async () => {
    const folder = temporaryFolder();
    const controller = new AbortController();
    const run = async (): Promise<void> => {
      for await (const event of prune({ ...requestIn(folder), layers: 2, signal: controller.signal })) {
        if (event.type === "stage" && event.name === "fork") controller.abort();
      }
    };
    expect((await compError(run())).kind).toBe("aborted");
    expect(readdirSync(folder)).toEqual([]);
  });

  test("a reader that stops listening", async () => {
    const folder = temporaryFolder();
    for await (const event of prune(requestIn(folder))) if (event.type === "layer") break;
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("a dry run", () => {
  test("ends after the plan and writes nothing, whatever stands at the output", async () => {
    const output = newOutput();
    const events = await eventsOf({ output, dryRun: true });
    expect(events.map(({ type }) => type)).toEqual(["plan"]);
    expect(existsSync(output)).toBe(false);
    expect(await eventsOf({ output: DEMO_MODEL, dryRun: true })).toHaveLength(1);
  });
});
