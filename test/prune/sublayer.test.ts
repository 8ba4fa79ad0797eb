// One sublayer cut, against arithmetic in plain f64.
import { afterAll, describe, expect, test } from "vitest";
import { ReusedTensors } from "../../src/compute/reused-tensor.ts";
import type { Tensor } from "../../src/compute/tensor.ts";
import { projectionOf } from "../../src/forward/graphs/decoder-layer.ts";
import { embed } from "../../src/forward/run/embed.ts";
import type { ResidentStates } from "../../src/forward/run/hidden-states.ts";
import { type CriterionName, criteria } from "../../src/importance/index.ts";
import { allInMemory, type ProjectionStatistics } from "../../src/linalg/projection.ts";
import { nthRandom } from "../../src/linalg/random.ts";
import type { Method } from "../../src/method/method.ts";
import { type DecoderLayer, readLayer } from "../../src/model/read-layer.ts";
import { type LayerIndex, layerIndices } from "../../src/model/spec/layer-index.ts";
import { type LayerSizes, resized, sizesOf } from "../../src/model/spec/parts.ts";
import type { Sublayer } from "../../src/model/spec/roles.ts";
import { headCut } from "../../src/prune/heads.ts";
import { heldLayer } from "../../src/prune/layer-source.ts";
import { neuronCut } from "../../src/prune/neurons.ts";
import { type Choice, pruneSublayer, type SublayerCut, type SublayerRequest } from "../../src/prune/sublayer.ts";
import { recoveries } from "../../src/recover/index.ts";
import type { Recovery } from "../../src/recover/recovery.ts";
import { methodOf } from "../helpers/method.ts";
import { openTiny, someWindows, testRun } from "../helpers/run.ts";

const run = testRun();
const families = { plain: await openTiny("llama"), biased: await openTiny("llama-bias") };
afterAll(() => Promise.all([run.scratch.clear(), families.plain.close(), families.biased.close()]));

const windows = someWindows(5, 24);

interface Place {
  readonly layer: DecoderLayer;
  /** Before the sublayer. */
  readonly states: ResidentStates;
  readonly request: SublayerRequest;
}

/** The second layer of a tiny model, before one of its sublayers. */
async function placeOf(
  name: Sublayer,
  method: Partial<Method>,
  family: keyof typeof families = "plain",
): Promise<Place> {
  const { model, runner } = families[family];
  const [first, second] = layerIndices(model.spec) as [LayerIndex, LayerIndex];
  const layer = await readLayer(model, second);
  const states = await embed(model, windows);
  await runner.layer(await readLayer(model, first), states);
  if (name === "mlp") await runner.sublayer("attention", layer, states);
  const request: SublayerRequest = {
    runner,
    method: { ...methodOf({ preset: "wanda-sp" }, model.spec), ...method },
    index: second,
    sizes: sizesOf(layer.sizes),
    states,
    tokenCount: windows.ids.length,
    target: undefined,
    sensitivity: {},
    order: undefined,
    inputMemory: new ReusedTensors(),
  };
  return { layer, states, request };
}

const cuts: Record<Sublayer, SublayerCut> = { attention: headCut, mlp: neuronCut };

const cut = <C extends Choice>(kind: SublayerCut<C>, { layer, request }: Place, over: Partial<SublayerRequest> = {}) =>
  pruneSublayer(run, kind, heldLayer(layer), { ...request, ...over });

const withSizes = ({ layer }: Place, sizes: Partial<LayerSizes>): LayerSizes => ({ ...sizesOf(layer.sizes), ...sizes });

/** The states behind the sublayer of a layer. */
async function behind(name: Sublayer, { states, request }: Place, layer: DecoderLayer): Promise<ResidentStates> {
  const copy = states.copy();
  await request.runner.sublayer(name, layer, copy);
  return copy;
}

type Rows = number[][];

/** Of what enters a projection, [inputSize, tokens], a row for each token. */
const columnsOf = ({ data, shape: [rows, columns] }: Tensor): Rows =>
  Array.from({ length: columns! }, (_, j) => Array.from({ length: rows! }, (_, i) => data[i * columns! + j]!));

const rowsOf = ({ data, shape }: { data: ArrayLike<number>; shape: readonly number[] }): Rows =>
  Array.from({ length: shape[0]! }, (_, i) => Array.from(data).slice(i * shape[1]!, (i + 1) * shape[1]!));

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

const norm = (rows: Rows): number => Math.sqrt(rows.reduce((sum, row) => sum + dot(row, row), 0));

/** What enters down_proj: silu(gate) · up of the normed states, biases included. */
function neuronsOf({ weights }: DecoderLayer, states: ResidentStates): Rows {
  const [gate, up] = [rowsOf(weights.gateProj!), rowsOf(weights.upProj!)];
  const [gateBias, upBias] = [weights.gateBias?.data, weights.upBias?.data];
  return rowsOf({ data: states.all, shape: [windows.ids.length, 32] }).map((x) => {
    const scale = Math.sqrt(dot(x, x) / x.length + 1e-6);
    const normed = x.map((value, i) => (value / scale) * weights.mlpNorm!.data[i]!);
    return gate.map((row, j) => {
      const g = dot(row, normed) + (gateBias?.[j] ?? 0);
      return (g / (1 + Math.exp(-g))) * (dot(up[j]!, normed) + (upBias?.[j] ?? 0));
    });
  });
}

/** Z Wᵀ + b. */
const written = (z: Rows, weight: Rows, bias?: ArrayLike<number>): Rows =>
  z.map((row) => weight.map((own, i) => dot(own, row) + (bias?.[i] ?? 0)));

const minus = (a: Rows, b: Rows): Rows => a.map((row, i) => row.map((value, j) => value - b[i]![j]!));

const columns = (rows: Rows, kept: readonly number[]): Rows => rows.map((row) => kept.map((j) => row[j]!));

/** A recovery that keeps what it is given and leaves the weights as they are. */
function spy(over: Partial<Recovery> = {}) {
  const seen: { statistics: ProjectionStatistics; kept: Int32Array; ridge: number }[] = [];
  const recovery: Recovery = {
    ...over,
    recover: async (projection, statistics, kept, { ridge }) => {
      seen.push({ statistics: await allInMemory(statistics), kept, ridge });
      const rows = rowsOf({ data: projection.weight, shape: [projection.outputSize, projection.inputSize] });
      return { weight: Float32Array.from(columns(rows, [...kept]).flat()) };
    },
  };
  return { recovery, seen };
}

describe("an MLP", () => {
  const NARROW = { intermediateSize: 56 };

  test.each(["plain", "biased"] as const)(
    "(%s) loses the neurons of least score, and tells the error",
    async (family) => {
      const place = await placeOf("mlp", {}, family);
      const sizes = withSizes(place, NARROW);
      const { layer, choice, inputs, error } = await cut(neuronCut, place, { sizes });
      const z = neuronsOf(place.layer, place.states);
      const weight = rowsOf(place.layer.weights.downProj!);
      const scores = z[0]!.map((_, j) => norm(columns(z, [j])) * norm(columns(weight, [j])));
      const order = [...scores.keys()].sort((a, b) => scores[a]! - scores[b]!);
      const kept = order.slice(24).sort((a, b) => a - b);
      expect([...choice.inputs]).toEqual(kept);
      choice.costs.forEach((cost, i) => {
        expect(cost / scores[order[i]!]!).toBeCloseTo(1, 4);
      });
      const lost = minus(written(z, weight), written(columns(z, kept), columns(weight, kept)));
      expect(error.before).toBeCloseTo(norm(lost) / norm(written(z, weight)), 4);
      expect(error.after).toBe(error.before);
      expect(sizesOf(layer.sizes)).toEqual(sizes);
      expect(rowsOf(layer.weights.upProj!)).toEqual(kept.map((j) => rowsOf(place.layer.weights.upProj!)[j]));
      expect([...inputs!.kept]).toEqual(kept);
      const found = inputs!.batches.flatMap(columnsOf);
      expect(norm(minus(found, z)) / norm(z)).toBeLessThan(1e-5);
    },
  );

  test.each(["least-squares", "bias"])("recovered by %s errs less, by as much as it says", async (recovery) => {
    const { model } = families.biased;
    const place = await placeOf(
      "mlp",
      methodOf({ preset: "wanda-sp", recovery, widths: "per-layer" }, model.spec),
      "biased",
    );
    const { layer, choice, error } = await cut(neuronCut, place, { sizes: withSizes(place, NARROW) });
    const z = neuronsOf(place.layer, place.states);
    const [weight, bias] = [rowsOf(place.layer.weights.downProj!), place.layer.weights.downBias!.data];
    const kept = columns(z, [...choice.inputs]);
    const left = minus(
      written(z, weight, bias),
      written(kept, rowsOf(layer.weights.downProj!), layer.weights.downBias!.data),
    );
    expect(error.after).toBeCloseTo(norm(left) / norm(written(z, weight)), 4);
    expect(error.after).toBeLessThan(error.before);
    expect(layer.weights.downBias!.data.every((value, i) => value === bias[i])).toBe(recovery !== "bias");
  });

  test("whose neurons have been ranked before loses the first of them, and nothing is ranked again", async () => {
    const criterion = { rank: () => Promise.reject(new Error("ranked again")) };
    const place = await placeOf("mlp", { criterion });
    const order = Int32Array.of(7, 3, 79, 0, 50, 51);
    const sizes = withSizes(place, { intermediateSize: 76 });
    const { choice } = await cut(neuronCut, place, { sizes, order });
    expect([0, 3, 7, 79].some((neuron) => choice.inputs.includes(neuron))).toBe(false);
    expect([choice.inputs.length, choice.costs.length]).toEqual([76, 0]);
  });

  test("is drawn for by the numbers of its own layer", async () => {
    const place = await placeOf("mlp", { ...methodOf({ preset: "random", seed: 5 }, families.plain.model.spec) });
    const { choice } = await cut(neuronCut, place, { sizes: withSizes(place, NARROW) });
    const random = nthRandom(5, 1);
    const scores = Array.from({ length: 80 }, () => random.nextFloat());
    const order = [...scores.keys()].sort((a, b) => scores[a]! - scores[b]!);
    expect([...choice.inputs]).toEqual(order.slice(24).sort((a, b) => a - b));
  });
});

describe("every criterion goes with every recovery:", () => {
  const names = Object.keys(criteria) as CriterionName[];

  test.each(names)("after %s each but none leaves less error than the cut alone", async (name) => {
    const { model } = families.biased;
    const place = await placeOf("mlp", methodOf({ preset: "wanda-sp" }, model.spec), "biased");
    const found = {
      fisherFactor: await run.scratch.put(Float32Array.from({ length: 1024 }, (_, i) => (i % 33 === 0 ? 1 : 0.3))),
      weights: await run.scratch.put(Float32Array.from({ length: 80 }, (_, j) => 2 + Math.sin(j))),
    };
    for (const [label, recovery] of Object.entries<Recovery>(recoveries)) {
      const method = { ...place.request.method, criterion: criteria[name], recovery };
      const request = { method, sizes: withSizes(place, { intermediateSize: 56 }), sensitivity: found };
      const { error, choice } = await cut(neuronCut, place, request);
      expect(choice.inputs, label).toHaveLength(56);
      if (label === "none") expect(error.after).toBe(error.before);
      else expect(error.after, label).toBeLessThan(error.before);
    }
  });
});

describe("an attention", () => {
  const magnitude = methodOf({ preset: "magnitude" }, families.plain.model.spec);

  /** Sum of the norms of the columns of o_proj that each of the four query heads feeds. */
  const headNorms = ({ layer }: Place): number[] => {
    const weight = rowsOf(layer.weights.oProj!);
    const norms = weight[0]!.map((_, j) => norm(columns(weight, [j])));
    return [0, 1, 2, 3].map((head) => norms.slice(8 * head, 8 * head + 8).reduce((a, b) => a + b));
  };

  test("keeps of each group the heads of highest score, with their rows and columns", async () => {
    const place = await placeOf("attention", magnitude);
    const sizes = withSizes(place, { numAttentionHeads: 2, intermediateSize: 1 });
    const { layer, choice, error } = await cut(headCut, place, { sizes });
    const norms = headNorms(place);
    const heads = [norms[0]! > norms[1]! ? 0 : 1, norms[2]! > norms[3]! ? 2 : 3];
    expect([[...choice.heads], [...choice.keyValueHeads]]).toEqual([heads, [0, 1]]);
    const elements = heads.flatMap((head) => Array.from({ length: 8 }, (_, i) => 8 * head + i));
    expect([...choice.inputs]).toEqual(elements);
    const { weights } = place.layer;
    expect(rowsOf(layer.weights.qProj!)).toEqual(elements.map((row) => rowsOf(weights.qProj!)[row]));
    expect(rowsOf(layer.weights.oProj!)).toEqual(columns(rowsOf(weights.oProj!), elements));
    expect(layer.weights.kProj).toEqual(weights.kProj);
    expect(layer.sizes).toEqual(resized(place.layer.sizes, { numAttentionHeads: 2 })); // the MLP is not its own to cut
    expect(error).toEqual({ before: 0, after: 0 });
  });

  test("loses whole groups with their keys and values", async () => {
    const place = await placeOf("attention", magnitude);
    const sizes = withSizes(place, { numAttentionHeads: 2, numKeyValueHeads: 1 });
    const { layer, choice } = await cut(headCut, place, { sizes });
    const norms = headNorms(place);
    const group = norms[0]! + norms[1]! > norms[2]! + norms[3]! ? 0 : 1;
    expect([[...choice.heads], [...choice.keyValueHeads]]).toEqual([[2 * group, 2 * group + 1], [group]]);
    expect(layer.weights.vProj!.data).toEqual(
      place.layer.weights.vProj!.data.slice(8 * 32 * group, 8 * 32 * (group + 1)),
    );
  });
});

describe.each(["attention", "mlp"] as const)("the %s", (name) => {
  const GONE = { attention: { numAttentionHeads: 0, numKeyValueHeads: 0 }, mlp: { intermediateSize: 0 } }[name];
  const HALF = { attention: { numAttentionHeads: 2 }, mlp: { intermediateSize: 40 } }[name];
  const denseTarget = methodOf({ recovery: "dense-target", ridge: 3e-3 }, families.plain.model.spec);

  test("that goes altogether leaves its states alone, and nothing is computed for it", async () => {
    const { recovery, seen } = spy();
    const place = await placeOf(name, { recovery });
    const { layer, choice, inputs, error } = await cut(cuts[name], place, {
      sizes: withSizes(place, GONE),
      target: place.states,
    });
    expect(layer).toEqual({ sizes: resized(place.layer.sizes, GONE), weights: place.layer.weights });
    expect([choice.inputs.length, inputs, error]).toEqual([0, undefined, { before: 1, after: 1 }]);
    expect(seen).toEqual([]);
    expect((await behind(name, place, layer)).all).toEqual(place.states.all);
  });

  test("that keeps all it has stays as it is, where there is no target", async () => {
    const { recovery, seen } = spy();
    const place = await placeOf(name, { recovery });
    const { layer, choice, error } = await cut(cuts[name], place);
    expect(layer).toEqual(place.layer);
    expect(choice.inputs).toHaveLength(projectionOf(name, layer).inputSize);
    expect([error, seen]).toEqual([{ before: 0, after: 0 }, []]);
  });

  test("is refitted towards the target where it keeps all, the attention with a ridge of its own", async () => {
    // with S = I the recovery makes up for half of an error: (S + I)⁻¹ S = ½ I
    const identity = Float32Array.from({ length: 32 * 32 }, (_, i) => Number(i % 33 === 0));
    const place = await placeOf(name, { ...denseTarget, choosesRidge: false });
    const output = await behind(name, place, place.layer);
    const target = output.copy();
    target.all.set(target.all.map((value, i) => value + 0.05 * Math.sin(i)));
    const sensitivity = { fisherFactor: await run.scratch.put(identity) };
    const { layer, choice, inputs } = await cut(cuts[name], place, { target, sensitivity });
    const { inputSize, weight } = projectionOf(name, place.layer);
    expect([...choice.inputs]).toEqual([...Array(inputSize).keys()]);
    const z = inputs!.batches.flatMap(columnsOf);
    const shape = [windows.ids.length, 32];
    const missing = minus(rowsOf({ data: target.all, shape }), rowsOf({ data: output.all, shape }));
    const transposed = z[0]!.map((_, j) => z.map((row) => row[j]!));
    const gram = transposed.map((row) => transposed.map((other) => dot(row, other)));
    const ridge = name === "attention" ? 1e-2 : 3e-3;
    const lambda = (ridge * gram.reduce((sum, row, i) => sum + row[i]!, 0)) / inputSize;
    const change = minus(
      rowsOf(layer.weights[name === "attention" ? "oProj" : "downProj"]!),
      rowsOf({ data: weight, shape: [32, inputSize] }),
    );
    // Δ (G + λI) = ½ D
    const left = change.map((row) => gram.map((other, j) => dot(row, other) + lambda * row[j]!));
    const missingOf = change.map((_, i) => missing.map((row) => row[i]!));
    const right = missingOf.map((errors) => transposed.map((row) => 0.5 * dot(errors, row)));
    expect(norm(minus(left, right)) / norm(right)).toBeLessThan(1e-3);
  });

  test("has sums held out where text is scarce, a target is there, and the ridge may be chosen", async () => {
    const heldOut = async (method: Partial<Method>, over: Partial<SublayerRequest> = {}): Promise<boolean> => {
      const { recovery, seen } = spy({ towardsDense: true });
      const place = await placeOf(name, { ...method, recovery });
      const sizes = withSizes(place, HALF);
      const { inputs } = await cut(cuts[name], place, { sizes, target: place.states, ...over });
      expect(inputs === undefined).toBe(seen[0]!.statistics.heldOut !== undefined);
      return seen[0]!.statistics.heldOut !== undefined;
    };
    const scarce = { tokenCount: 10 * { attention: 32, mlp: 80 }[name] - 1 };
    expect(await heldOut({}, scarce)).toBe(true);
    expect(await heldOut({}, { tokenCount: scarce.tokenCount + 1 })).toBe(false);
    expect(await heldOut({}, { ...scarce, target: undefined })).toBe(false);
    expect(await heldOut({ choosesRidge: false }, scarce)).toBe(false);
  });

  test("shows its criterion and its recovery what backward sweeps have found", async () => {
    const { recovery, seen } = spy();
    const place = await placeOf(name, { recovery });
    const sizes = withSizes(place, HALF);
    const [fisherFactor, weights] = [Float32Array.of(1, 2), Float32Array.of(3)];
    const sensitivity = { fisherFactor: await run.scratch.put(fisherFactor), weights: await run.scratch.put(weights) };
    await cut(cuts[name], place, { sizes, sensitivity });
    await cut(cuts[name], place, { sizes });
    expect(seen[0]!.statistics).toMatchObject({ fisherFactor, weightSensitivity: weights });
    expect(seen[1]!.statistics.fisherFactor).toBeUndefined();
    expect(seen.map(({ ridge }) => ridge)).toEqual([1e-3, 1e-3]); // that of a cut sublayer is the method's
  });
});
