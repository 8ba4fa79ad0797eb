// The whole method through the library, into a folder.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { MeasuredResult, PruneEvent, PruneResult, SplitTrial } from "../../src/events/prune.ts";
import { nodeBackend, nodeHost } from "../../src/node/host.ts";
import { openPath } from "../../src/node/open-path.ts";
import { stageFolder } from "../../src/node/output-folder.ts";
import { type PruneRequest, prune } from "../../src/node/prune.ts";
import { PruneOptions } from "../../src/options/prune.ts";
import { parseOptions } from "../../src/options/schema.ts";
import { pruneCheckpoint } from "../../src/tasks/prune-checkpoint.ts";
import { DEMO_MODEL } from "../helpers/built.ts";
import { compError } from "../helpers/errors.ts";
import { TINY_FAMILIES } from "../helpers/fixtures.ts";
import { eventsOf, prose, pruneDemo, SMALL } from "../helpers/prune-demo.ts";
import { demoCopy, shortDemo, TINY_WINDOWS, tinyWithTokenizer } from "../helpers/small-models.ts";
import { sharedFolder, temporaryFolder } from "../helpers/temporary.ts";
import { newOutput, readConfig, withModel } from "../helpers/written.ts";

/** Two of the eight layers stay, and lose more than half of their neurons: enough to show all, in little time. */
const TWO_LAYERS = { layers: [1, 2, 3, 4, 5, 6], sparsity: 0.76 };

/** A method that looks at the text once, and at no gradient. */
const QUICK = { preset: "wanda-sp", prune: "mlp" } as const;

const shared = sharedFolder();
const short = shortDemo(shared, 4);

/** Puts f16 bits at the first element of a tensor. */
function overwriteFirstElement(folder: string, name: string, bits: number): void {
  const file = join(folder, "model.safetensors");
  const bytes = readFileSync(file);
  const headerSize = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + headerSize).toString()) as Record<string, { data_offsets: number[] }>;
  bytes.writeUInt16LE(bits, 8 + headerSize + header[name]!.data_offsets[0]!);
  writeFileSync(file, bytes);
}

function resultOf(events: readonly PruneEvent[]): PruneResult {
  const last = events.at(-1)!;
  if (last.type !== "done") throw new Error(`the run ended with ${last.type}`);
  return last.result;
}

describe("a pruned folder", () => {
  const output = join(shared, "pruned");
  let events: PruneEvent[];
  let result: PruneResult;
  beforeAll(async () => {
    events = await eventsOf({ output, sparsity: 0.2, layers: 0 });
    result = resultOf(events);
  });

  test("has the shapes that the plan and the result tell, and opens as a model", async () => {
    const plan = events.find((event) => event.type === "plan")!;
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

  test("can be pruned again", async () => {
    const again = newOutput();
    const { parameters, intermediateSize } = await pruneDemo({ ...QUICK, model: output, output: again, sparsity: 0.2 });
    expect(intermediateSize.before).toBe(readConfig(output).intermediate_size);
    await withModel(again, async ({ spec }) =>
      expect(spec.layers[0]!.channel!.intermediateSize).toBe(intermediateSize.after),
    );
    expect(parameters.after).toBeLessThanOrEqual(0.8 * parameters.before);
  });

  test("keeps every weight bit for bit at sparsity 0", async () => {
    const whole = newOutput();
    await eventsOf({ model: short, output: whole, sparsity: 0, layers: 0 });
    await withModel(short, (source) =>
      withModel(whole, async (written) => {
        expect([...written.tensors.keys()].sort()).toEqual([...source.tensors.keys()].sort());
        for (const [name, { dtype }] of source.tensors) {
          expect(written.tensors.get(name)!.dtype).toBe(dtype);
          const [own, expected] = [await written.read(name), await source.read(name)];
          expect(Buffer.from(own.buffer).equals(Buffer.from(expected.buffer)), name).toBe(true);
        }
      }),
    );
  });

  test("takes the element type and the file size that are asked for", async () => {
    const sharded = newOutput();
    const small = { dtype: "bf16", maxShardSize: "1MB" } as const;
    const { files } = await pruneDemo({ ...QUICK, ...small, model: short, output: sharded, sparsity: 0.2 });
    expect(files.filter((file) => file.endsWith(".safetensors")).length).toBeGreaterThan(1);
    expect(readConfig(sharded).dtype).toBe("bfloat16");
    await withModel(sharded, async ({ tensors }) =>
      expect([...tensors.values()].every(({ dtype }) => dtype === "BF16")).toBe(true),
    );
  });
});

describe("the same seed", () => {
  const outputs = ["first", "second", "other"].map((name) => join(shared, name)) as [string, string, string];
  let first: PruneResult;
  beforeAll(async () => {
    first = await pruneDemo({ output: outputs[0], ...TWO_LAYERS });
    await pruneDemo({ output: outputs[1], ...TWO_LAYERS });
    await pruneDemo({ output: outputs[2], ...TWO_LAYERS, seed: 1 });
  });

  test("gives the same bytes, another seed draws other windows and gives others", () => {
    const [one, same, other] = outputs.map((path) => readFileSync(join(path, "model.safetensors")));
    expect(one!.equals(same!)).toBe(true);
    expect(one!.equals(other!)).toBe(false);
  });

  test("keeps the neurons that the result tells, whose rows are in the output", async () => {
    expect(first.layers.map(({ index }) => index)).toEqual([0, 7]);
    const read = (path: string, layer: number) =>
      withModel(path, (model) => model.read(`model.layers.${layer}.mlp.up_proj.weight`));
    for (const [position, { index, kept, keptNeurons }] of first.layers.entries()) {
      expect(kept).toHaveLength(keptNeurons);
      expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
      const [source, pruned] = [await read(DEMO_MODEL, index), await read(outputs[0], position)];
      const expected = kept.flatMap((neuron) => [...source.subarray(neuron * 128, (neuron + 1) * 128)]);
      expect([...pruned]).toEqual(expected);
    }
  });
});

describe("widths of its own for each layer", () => {
  const output = join(shared, "per-layer");
  const widthsOf = ({ layers }: PruneResult): number[] => layers.map(({ keptNeurons }) => keptNeurons);
  let own: MeasuredResult;
  beforeAll(async () => {
    const longer = { samples: 24, context: 128, multipleOf: 1 };
    own = await pruneDemo({ output, sparsity: 0.2, criterion: "loss", widths: "per-layer", ...longer });
  });

  test("lose less than equal widths, at the same number of parameters", async () => {
    const equal = await pruneDemo({
      ...{ output: newOutput(), sparsity: 0.2, preset: "osscar", prune: "mlp" },
      ...{ samples: 24, context: 128, multipleOf: 1 },
    });
    expect(new Set(widthsOf(own)).size).toBeGreaterThan(1);
    expect(Math.abs(own.parameters.after / equal.parameters.after - 1)).toBeLessThan(0.02);
    expect(own.quality.klDivergence).toBeLessThan(equal.quality.klDivergence);
  });

  test("make a folder that says that it needs code, and opens", async () => {
    expect(readConfig(output).auto_map).toEqual({ AutoModelForCausalLM: "modeling_comp.CompForCausalLM" });
    expect(existsSync(join(output, "modeling_comp.py"))).toBe(true);
    await withModel(output, async ({ spec }) =>
      expect(spec.layers.map(({ channel }) => channel?.intermediateSize)).toEqual(widthsOf(own)),
    );
  });

  test("stay as they are at sparsity 0, and give way to narrower ones of their own", async () => {
    const same = resultOf(await eventsOf({ ...QUICK, model: output, output: newOutput(), sparsity: 0 }));
    expect(widthsOf(same)).toEqual(widthsOf(own));
    expect(same.sparsity.all).toBe(0);
    const twice = await pruneDemo({ ...QUICK, model: output, output: newOutput(), sparsity: 0.1 });
    expect(twice.sparsity.all).toBeGreaterThanOrEqual(0.1);
    expect(twice.sparsity.all).toBeLessThan(0.15);
    widthsOf(twice).forEach((width, layer) => {
      expect(width).toBeLessThanOrEqual(widthsOf(own)[layer]!);
    });
  });

  test("become a plain folder when pruned to equal ones", async () => {
    const plain = newOutput();
    await pruneDemo({ ...QUICK, model: output, output: plain, sparsity: 0.4, multipleOf: 1 });
    const config = readConfig(plain);
    expect([config.auto_map, config.intermediate_sizes]).toEqual([undefined, undefined]);
    expect(config.architectures).toEqual(["LlamaForCausalLM"]);
  });
});

describe("layers", () => {
  test("a list removes those, and cuts the lists of config.json", async () => {
    const output = newOutput();
    const types = ["full", "sliding"].flatMap((kind) => new Array<string>(4).fill(`${kind}_attention`));
    const model = demoCopy(temporaryFolder(), (config) => ({ ...config, layer_types: types, sliding_window: 512 }));
    const { layersRemoved } = await pruneDemo({ ...QUICK, model, output, layers: [6, 0], sparsity: 0.2 });
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
    const { layersRemoved, intermediateSize } = await pruneDemo({ model: short, output, layers: 1, sparsity: 0.19 });
    expect(layersRemoved).toHaveLength(1);
    expect(layersRemoved).not.toContain(0);
    expect(intermediateSize.after).toBe(512); // a layer is a fifth already
    expect(readConfig(output).num_hidden_layers).toBe(3);
  });

  test("go by trials where nothing is said of them: no worse than leaving all, and what was chosen is what is written", async () => {
    const [free, all] = [
      await pruneDemo({ model: short, output: newOutput(), samples: 12, sparsity: 0.4 }),
      await pruneDemo({ model: short, output: newOutput(), samples: 12, sparsity: 0.4, layers: 0 }),
    ];
    expect(free.quality.klDivergence).toBeLessThan(1.02 * all.quality.klDivergence);
    expect(free.layers).toHaveLength(4 - free.layersRemoved.length);
    expect(free.sparsity.all).toBeGreaterThanOrEqual(0.4);
    const pays = (one: SplitTrial, next: SplitTrial): boolean => next.klDivergence <= 0.98 * one.klDivergence;
    const best = free.splits!.reduce((one, next) => (pays(one, next) ? next : one));
    expect(best).toMatchObject({
      sparsity: 0.4,
      reached: free.sparsity.all,
      layers: free.layers.length,
      intermediateSize: free.layers[0]!.keptNeurons,
    });
    expect(all.splits).toBeUndefined();
  });
});

test.each(TINY_FAMILIES)("%s is pruned, heads and neurons, written and read back", async (family) => {
  const [model, output] = [tinyWithTokenizer(temporaryFolder(), family), newOutput()];
  const result = await pruneDemo({ ...TINY_WINDOWS, model, output, sparsity: 0.2, layers: 0, heads: 1 });
  expect(result.sparsity.all).toBeGreaterThanOrEqual(0.2);
  expect(result.quality.klDivergence).toBeGreaterThan(0);
  const before = await withModel(model, async ({ spec }) => spec);
  await withModel(output, async ({ spec }) => {
    const intermediateSize = result.intermediateSize.after;
    expect(intermediateSize).toBeLessThan(80);
    const narrowed = before.layers.map((layer) => ({
      ...layer,
      mixer: { ...layer.mixer, numAttentionHeads: 2 },
      channel: { ...layer.channel, intermediateSize },
    }));
    expect(spec).toEqual({ ...before, layers: narrowed });
  });
});

describe("nearer to the dense model is", () => {
  const divergence = async (request: Partial<PruneRequest>): Promise<number> =>
    (await pruneDemo({ output: newOutput(), ...request })).quality.klDivergence;

  test("least squares than no recovery", async () => {
    const [refitted, left] = [{ recovery: "least-squares" }, { recovery: "none" }] as const;
    const request = { ...QUICK, ...TWO_LAYERS };
    expect(await divergence({ ...request, ...refitted })).toBeLessThan(await divergence({ ...request, ...left }));
  });

  test("a chosen criterion than chance", async () => {
    const request = { ...QUICK, sparsity: 0.3, recovery: "least-squares" } as const;
    expect(await divergence({ ...request, criterion: "obs" })).toBeLessThan(
      await divergence({ ...request, criterion: "random" }),
    );
  });
});

describe("calibration", () => {
  test("on text of the model's own when none is given", async () => {
    const own = { calibration: [], samples: 4, context: 16 };
    const events = await eventsOf({ ...QUICK, ...own, output: newOutput(), ...TWO_LAYERS });
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

  test("on the bundled mix where the model does not fit into memory for that", async () => {
    const output = newOutput();
    const checkpoint = await openPath(DEMO_MODEL);
    const machine = nodeHost({ backend: nodeBackend(1), outputFormat: "safetensors", threads: 1, place: output });
    const createOutput = () => stageFolder(output, { overwrite: false });
    const host = { ...machine, createOutput, freeMemoryBytes: () => 0 };
    const options = parseOptions(PruneOptions, { ...QUICK, ...TWO_LAYERS, samples: 4, context: 16 });
    const result = await pruneCheckpoint(checkpoint, options, host, () => undefined);
    await checkpoint.close();
    const told = { source: "bundled", names: ["bundled mix"], windows: 4, ownWindows: 0 };
    expect(result!.calibration).toMatchObject(told);
    expect(JSON.parse(readFileSync(join(output, "pruning.json"), "utf8")).calibration).toMatchObject(told);
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
    const model = demoCopy(temporaryFolder());
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
    const error = await compError(eventsOf({ ...QUICK, output: folder, ...TWO_LAYERS, overwrite: true }));
    expect(error.message).toContain("it is no model");
    expect(readdirSync(folder)).toEqual(["thesis.txt"]);
  });

  test("the model's own folder, even with overwrite, and one that holds it", async () => {
    const parent = temporaryFolder();
    const model = demoCopy(parent);
    writeFileSync(join(parent, "config.json"), "{}");
    const refused = (output: string) => compError(eventsOf({ model, output, ...TWO_LAYERS, overwrite: true }));
    expect((await refused(model)).message).toBe(`${model} is the model that is read`);
    expect((await refused(parent)).message).toBe(`${parent} is the folder of the model that is read`);
    expect(readdirSync(model)).toContain("model.safetensors");
  });

  test.each<[string, (event: PruneEvent) => boolean, Partial<PruneRequest>]>([
    ["pruned", ({ type }) => type === "layer", QUICK],
    ["chosen", (event) => event.type === "stage" && event.name === "ablation", { layers: 2 }],
  ])("a signal that comes while layers are being %s", async (_, isTime, request) => {
    const folder = temporaryFolder();
    const controller = new AbortController();
    const run = async (): Promise<void> => {
      const all = {
        ...SMALL,
        probes: 0,
        ...request,
        model: short,
        output: join(folder, "out"),
        signal: controller.signal,
      };
      for await (const event of prune(all)) if (isTime(event)) controller.abort();
    };
    expect((await compError(run())).kind).toBe("aborted");
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
