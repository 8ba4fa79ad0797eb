// What the loss feels: a backward sweep tells how dear an error is at each layer.

import type { Backend } from "../compute/backend.ts";
import type { StageEvent } from "../events/common.ts";
import { gradientSweep, type LayerGradients } from "../forward/backward/gradient-sweep.ts";
import { sampledLabels } from "../forward/backward/labels.ts";
import { LayerRunner } from "../forward/run/layer-runner.ts";
import type { Scratch } from "../forward/run/scratch.ts";
import type { Gemm } from "../linalg/gemm.ts";
import { createRandom } from "../linalg/random.ts";
import type { Model } from "../model/model.ts";
import { type TokenWindows, windowsBetween, windowsOf } from "../model/spec/token-windows.ts";

/** Tokens of the sweep where S is all that is wanted; twice as many gained less than 1 % (docs/lab-log.md). */
export const COVARIANCE_TOKENS = 4096;

export interface LossRequest {
  readonly backend: Backend;
  readonly gemm: Gemm;
  readonly model: Model;
  readonly windows: TokenWindows;
  readonly scratch: Scratch;
  /** Whether heads are to be weighed too. */
  readonly heads: boolean;
  readonly seed: number;
  readonly ridge: number;
  /** Gives back memory between the layers. */
  readonly collectGarbage: () => void;
  readonly signal?: AbortSignal | undefined;
}

/** Where the covariance of a layer's gradient waits in the scratch space. */
export const covarianceKey = (index: number): string => `covariance ${index}`;
export const headCovarianceKey = (index: number): string => `head covariance ${index}`;

/** Puts S of every layer into the scratch space. */
export async function* senseLoss(request: LossRequest): AsyncGenerator<StageEvent> {
  yield* sweepBackward(request, COVARIANCE_TOKENS);
}

/** Puts S of every layer into the scratch space, and shows what else the sweep finds of each to who wants it. */
export async function* sweepBackward(
  request: LossRequest,
  tokens: number,
  visit?: (gradients: LayerGradients) => Promise<void>,
): AsyncGenerator<StageEvent> {
  const { backend, model, scratch, signal } = request;
  const runner = new LayerRunner(backend, model.spec);
  const windows = windowsBetween(request.windows, 0, windowsOf(tokens, request.windows));
  const labels = sampledLabels(createRandom(request.seed).nextFloat, windows.ids.length);
  const total = model.spec.layers.length;
  yield { type: "stage", name: "gradient", done: 0, total };
  for await (const gradients of gradientSweep({
    runner,
    model,
    windows,
    scratch,
    labels,
    heads: request.heads,
    inputs: visit !== undefined,
    signal,
  })) {
    await scratch.put(covarianceKey(gradients.index), gradients.lossCovariance);
    if (gradients.heads) await scratch.put(headCovarianceKey(gradients.index), gradients.heads.lossCovariance);
    await visit?.(gradients);
    request.collectGarbage();
    yield { type: "stage", name: "gradient", done: total - gradients.index, total };
  }
  await runner.release();
}
