// Logits of our own forward pass.
import { Graph } from "../../src/compute/graph.ts";
import { tileLogits } from "../../src/forward/graphs/head.ts";
import { embed } from "../../src/forward/run/embed.ts";
import { readFinalNorm, readTile, tileRanges } from "../../src/forward/run/head-tiles.ts";
import { LayerRunner, runLayers } from "../../src/forward/run/layer-runner.ts";
import type { Model } from "../../src/model/model.ts";
import type { DecoderLayer } from "../../src/model/read-layer.ts";
import { nodeBackend } from "../../src/node/host.ts";

/** Logits after each token of a window, [tokens][vocabSize]; through other layers than the model's own where they are given. */
export async function forwardLogits(
  model: Model,
  tokens: readonly number[],
  layers?: readonly DecoderLayer[],
): Promise<Float32Array[]> {
  const backend = nodeBackend(1);
  const runner = new LayerRunner(backend, model.spec);
  const states = await embed(model, { ids: Int32Array.from(tokens), count: 1, length: tokens.length });
  if (layers === undefined) await runLayers(runner, model, states);
  else for (const layer of layers) await runner.layer(layer, states);
  await runner.release();
  const { hidden } = states.batches[0]!;
  const norm = await readFinalNorm(model);
  const logits = tokens.map(() => new Float32Array(model.spec.vocabSize));
  for (const range of tileRanges(model.spec)) {
    const { weight: head, start } = await readTile(model, range);
    const graph = new Graph();
    graph.output("logits", tileLogits(graph, model.spec, tokens.length, head.shape[0]!));
    const program = await backend.compile(graph);
    const { data } = (await program.run({ hidden, ...norm, head })).logits!;
    await program.release();
    const size = head.shape[0]!;
    logits.forEach((row, token) => {
      row.set((data as Float32Array).subarray(token * size, (token + 1) * size), start);
    });
  }
  return logits;
}
