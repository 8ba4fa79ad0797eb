// Empirical Fisher factors of the dense model: one backward sweep tells how much the loss depends on an error at each projection.

import { sampledLabels } from "../forward/backward/labels.ts";
import { type LayerMoments, secondMoments } from "../forward/backward/second-moments.ts";
import { LayerRunner } from "../forward/run/layer-runner.ts";
import { createRandom } from "../linalg/random.ts";
import type { Method } from "../method/method.ts";
import type { Model } from "../model/model.ts";
import { type TokenWindows, windowsBetween, windowsOf } from "../model/spec/token-windows.ts";
import type { RunContext } from "../run-context.ts";
import type { LayerArrays, MutableLayerArrays } from "./layer-arrays.ts";
import { FACTOR_TOKENS } from "./text-lengths.ts";

/** The dense model, the windows that it is looked at on, and the method that it is looked at for. */
export interface DenseRequest {
  readonly model: Model;
  readonly windows: TokenWindows;
  readonly method: Method;
}

/** S of each sublayer, f32 [hiddenSize, hiddenSize]. */
export type FisherFactors = LayerArrays;

/** The Fisher factors that the method needs. */
export const measureFisherFactors = (run: RunContext, request: DenseRequest): Promise<FisherFactors> =>
  sweepMoments(run, request, FACTOR_TOKENS);

/** The Fisher factors, and to whom it may concern what else the sweep finds of each layer, from the last to the first. */
export async function sweepMoments(
  run: RunContext,
  { model, windows: all, method }: DenseRequest,
  tokens: number,
  visit?: (moments: LayerMoments) => Promise<void>,
): Promise<FisherFactors> {
  const { backend, scratch, signal, report } = run;
  const runner = new LayerRunner(backend, model.spec);
  const windows = windowsBetween(all, 0, windowsOf(tokens, all));
  const labels = sampledLabels(createRandom(method.seed).nextFloat, windows.ids.length);
  const wanted = { attention: method.backward.fisherFactors === "both", activations: visit !== undefined };
  const factors: MutableLayerArrays = new Map();
  const total = model.spec.layers.length;
  report({ type: "stage", name: "gradient", done: 0, total });
  await secondMoments({ runner, model, windows, scratch, labels, signal }, wanted, async (moments) => {
    const { index, mlp, attention } = moments;
    factors.set(index, {
      ...(mlp && { mlp: await scratch.put(mlp.fisherFactor) }),
      ...(attention && { attention: await scratch.put(attention.fisherFactor) }),
    });
    await visit?.(moments);
    run.collectGarbage();
    report({ type: "stage", name: "gradient", done: total - index, total });
  });
  await runner.release();
  return factors;
}
