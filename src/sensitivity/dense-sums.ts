// Sums over calibration tokens at the projections of the dense model, put aside: what cuts are tried out by, at any sparsity.
import { type Form, remembered } from "../cache/remembered.ts";
import { ReusedTensors } from "../compute/reused-tensor.ts";
import { embedOrSpill } from "../forward/run/embed.ts";
import type { HiddenStates } from "../forward/run/hidden-states.ts";
import { LayerRunner } from "../forward/run/layer-runner.ts";
import type { StoredArray } from "../forward/run/scratch.ts";
import { allIndices } from "../linalg/gather.ts";
import { packSymmetric, unpackSymmetric } from "../linalg/packed-symmetric.ts";
import type { StoredStatistics } from "../linalg/projection.ts";
import { type LayerIndex, layerIndices } from "../model/spec/layer-index.ts";
import { hasSublayer, type Sublayer } from "../model/spec/roles.ts";
import { gatherStatistics } from "../prune/gather-statistics.ts";
import { type LayerSource, openLayer } from "../prune/layer-source.ts";
import type { RunContext } from "../run-context.ts";
import type { DenseRequest } from "./fisher-factors.ts";

/** What has been summed at one projection. */
interface Sums extends Pick<StoredStatistics, "tokenCount" | "mean"> {
  readonly index: LayerIndex;
  readonly sublayer: Sublayer;
  /** G, symmetric, its upper triangle. */
  readonly gram: StoredArray;
}

type DenseSums = readonly Sums[];

/** The sums as they are needed. */
export interface DenseStatistics {
  /** @returns undefined where the layer has no such sublayer */
  of(index: LayerIndex, sublayer: Sublayer): StoredStatistics | undefined;
  /** Removes them. */
  release(): Promise<void>;
}

/** The sums as an entry of the cache. */
const denseSums: Form<DenseSums> = {
  apart: (found) => ({
    data: found.map(({ gram: _, ...rest }) => rest),
    arrays: found.map(({ gram }) => gram),
  }),
  together: ({ data, arrays }) =>
    (data as readonly Omit<Sums, "gram">[]).map((rest, i) => ({ ...rest, gram: arrays[i]! })),
};

/** Statistics at the projections of some sublayers in all layers of the dense model, as far as no earlier run has them. */
export async function denseStatistics(
  run: RunContext,
  request: DenseRequest,
  sublayers: readonly Sublayer[],
): Promise<DenseStatistics> {
  const { model, windows, method } = request;
  const of = { windows, sublayers, tokenScale: method.tokenScale };
  const finding = { name: "dense-sums", model, of } as const;
  const found = await remembered(run, finding, () => sumAllLayers(run, request, sublayers), denseSums);
  return {
    of(index, sublayer) {
      const sums = found.find((one) => one.index === index && one.sublayer === sublayer);
      return sums && unpacked(sums);
    },
    release: async () => {
      for (const { gram } of found) await gram.remove();
    },
  };
}

const unpacked = ({ tokenCount, mean, gram }: Sums): StoredStatistics => ({
  tokenCount,
  mean,
  gram: async () => unpackSymmetric(await gram.read(), mean.length),
});

async function sumAllLayers(
  run: RunContext,
  request: DenseRequest,
  sublayers: readonly Sublayer[],
): Promise<DenseSums> {
  const { model, windows } = request;
  const states = await embedOrSpill(model, windows, run.scratch, run.memory.states);
  const runner = new LayerRunner(run.backend, model.spec);
  const inputMemory = new ReusedTensors();
  const found: Sums[] = [];
  for (const index of layerIndices(model.spec)) {
    run.signal?.throwIfAborted();
    run.report({ type: "stage", name: "dense-sums", done: index, total: model.spec.layers.length });
    const source = await openLayer(model, index, run.memory.wholeLayers);
    for (const sublayer of ["attention", "mlp"] as const) {
      const isWanted = sublayers.includes(sublayer) && hasSublayer(sublayer, source.sizes);
      if (isWanted)
        found.push(await sumSublayer(run, request, { index, sublayer, source, states, runner, inputMemory }));
      else await runner.sublayer(sublayer, await source.read(sublayer), states);
    }
  }
  inputMemory.release();
  await runner.release();
  return found;
}

interface SublayerPass {
  readonly index: LayerIndex;
  readonly sublayer: Sublayer;
  readonly source: LayerSource;
  readonly states: HiddenStates;
  readonly runner: LayerRunner;
  readonly inputMemory: ReusedTensors;
}

/** Sums at a projection; all states then stand behind the sublayer. */
async function sumSublayer(
  run: RunContext,
  { method, windows }: DenseRequest,
  { index, sublayer, source, ...pass }: SublayerPass,
): Promise<Sums> {
  const { runner, states } = pass;
  const tokenCount = windows.ids.length;
  const request = { ...pass, method, tokenCount, target: undefined, sensitivity: {} };
  const { statistics, inputs, release } = await gatherStatistics(run, sublayer, source, request);
  const { mean } = statistics;
  const gram = await run.scratch.put(packSymmetric(await statistics.gram(), mean.length));
  await release();
  if (inputs === undefined) await runner.sublayer(sublayer, await source.read(sublayer), states);
  else {
    const kept = allIndices(mean.length);
    await runner.project(sublayer, await source.readProjection(sublayer), { batches: inputs, kept }, states);
  }
  return { index, sublayer, tokenCount, mean, gram };
}
