import { afterAll, describe, expect, test } from "vitest";
import { Graph } from "../../src/compute/graph.ts";
import { CachedDecoder } from "../../src/forward/decode/cached-decoder.ts";
import { ResidentWeights } from "../../src/forward/decode/resident-weights.ts";
import { tileLogits } from "../../src/forward/graphs/head.ts";
import { embed } from "../../src/forward/run/embed.ts";
import { runHead } from "../../src/forward/run/head.ts";
import { readFinalNorm, readTile, tileRanges } from "../../src/forward/run/head-tiles.ts";
import { LayerRunner, runLayers } from "../../src/forward/run/layer-runner.ts";
import { type Model, openModel } from "../../src/model/model.ts";
import { nodeBackend } from "../../src/node/host.ts";
import { openPath } from "../../src/node/open-path.ts";
import { EXPERT_FIXTURES, expectedLogits, FAMILY_FIXTURES, TINY_FAMILIES, tinyPath } from "../helpers/fixtures.ts";

const backend = nodeBackend(1);

const opened: Model[] = [];

async function open(family: string): Promise<Model> {
  const model = await openModel(await openPath(tinyPath(family)));
  opened.push(model);
  return model;
}

afterAll(async () => {
  for (const model of opened) await model.checkpoint.close();
});

/** Largest difference from transformers' logits, relative to the largest of these. */
function worst(logits: Float32Array, expected: ArrayLike<number>): number {
  let [difference, scale] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs(logits[i]! - expected[i]!));
    scale = Math.max(scale, Math.abs(expected[i]!));
  }
  return difference / scale;
}

async function streamedLogits(model: Model, ids: number[][]): Promise<Float32Array> {
  const runner = new LayerRunner(backend, model.spec);
  const states = await embed(model, { ids: Int32Array.from(ids.flat()), count: ids.length, length: ids[0]!.length });
  await runLayers(runner, model, states);
  const { hidden } = states.batches[0]!;
  const { weight: head } = await readTile(model, tileRanges(model.spec)[0]!);
  const graph = new Graph();
  graph.output("logits", tileLogits(graph, model.spec, hidden.shape[0]!, head.shape[0]!));
  const program = await backend.compile(graph);
  const { logits } = await program.run({ hidden, ...(await readFinalNorm(model)), head });
  return logits!.data as Float32Array;
}

/** The logits of a beginning of a text are not among those of the whole: decode/cached-decoder.test.ts. */
const GROWING: readonly string[] = ["dynamic-rope"];

describe.each([...TINY_FAMILIES, ...Object.keys(FAMILY_FIXTURES), ...EXPERT_FIXTURES])("%s", (family) => {
  test("streamed layers give the logits of transformers", async () => {
    const expected = expectedLogits(family);
    expect(worst(await streamedLogits(await open(family), expected.ids), expected.logits)).toBeLessThan(1e-3);
  });

  test.skipIf(GROWING.includes(family))(
    "decoding with a cache, in steps of 10, 1 and 13 tokens, gives them too",
    async () => {
      const { ids, shape, logits } = expectedLogits(family);
      const [windows, length, vocabSize] = shape as [number, number, number];
      const decoder = new CachedDecoder(backend, new ResidentWeights(await open(family), 2 ** 30), windows);
      const part = (start: number, end: number): Int32Array =>
        Int32Array.from(ids.flatMap((row) => row.slice(start, end)));
      for (const [start, end] of [
        [0, 10],
        [10, 11],
        [11, 24],
      ] as const) {
        const last = await decoder.step(part(start, end), end - start);
        const expected = ids.flatMap((_, i) =>
          logits.slice((i * length + end - 1) * vocabSize, (i * length + end) * vocabSize),
        );
        expect(worst(last, expected)).toBeLessThan(1e-3);
      }
      await decoder.release();
    },
  );
});

test("the tiled head finds log-sum-exp, target and best token of the logits", async () => {
  const { ids, logits, shape } = expectedLogits("llama");
  const model = await open("llama");
  const runner = new LayerRunner(backend, model.spec);
  const states = await embed(model, { ids: Int32Array.from(ids.flat()), count: 2, length: shape[1]! });
  await runLayers(runner, model, states);
  const targets = Int32Array.from(ids.flat());
  const { logSumExp, targetLogit, top } = await runHead(runner.programs, { model, hidden: states.all }, targets);
  const row = logits.slice(0, 96);
  expect(logSumExp[0]).toBeCloseTo(Math.log(row.reduce((total, x) => total + Math.exp(x), 0)), 3);
  expect(targetLogit[0]).toBeCloseTo(row[targets[0]!]!, 3);
  expect(top[0]).toBe(row.indexOf(Math.max(...row)));
});
