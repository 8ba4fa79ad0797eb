// Judges a model on a text: windows from its start, in groups that bound the memory for hidden states.
import type { Backend } from "../compute/backend.ts";
import { bitsPerByte } from "../evaluate/bits-per-byte.ts";
import { type Evaluation, evaluateModel } from "../evaluate/compare-models.ts";
import { cutWindows, judgedBetween } from "../evaluate/judged-windows.ts";
import { withTokensOf } from "../evaluate/shared-vocabulary.ts";
import type { StageEvent } from "../events/common.ts";
import type { EvalResult } from "../events/model.ts";
import type { Model } from "../model/model.ts";
import type { Judging } from "../options/protocols.ts";
import type { CalibrationText } from "../options/prune.ts";
import { recordedTexts } from "../report/read-record.ts";
import { sketchWarning } from "../texts/passage-sketch.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

const HIDDEN_BYTES = 64 * 2 ** 20;

export interface EvaluationRequest {
  readonly backend: Backend;
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  readonly text: CalibrationText;
  /** The model before pruning, to compare with. */
  readonly dense?: Model | undefined;
  /** Called for each group of windows, by its number: models that are compared with one dense model need its states once. */
  readonly denseHidden?: ((group: number, compute: () => Promise<Float32Array>) => Promise<Float32Array>) | undefined;
  readonly options: Judging;
  /** Bytes of hidden states of one model at once; each group of windows reads all weights again. Default 64 MiB. */
  readonly hiddenBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Perplexity on the windows and, with a dense model, KL divergence and agreement; progress counts windows. A dense model of more
 * tokens counts with those alone that the model has.
 *
 * @throws {CompError} "calibration" when the text has not one window, "option" when the model has tokens that the dense one has not
 */
export async function evaluateText(
  request: EvaluationRequest,
  report: (event: StageEvent) => void,
): Promise<EvalResult> {
  const { backend, model, text, denseHidden, options, hiddenBytes = HIDDEN_BYTES, signal } = request;
  const isCut = request.dense !== undefined && request.dense.spec.vocabSize !== model.spec.vocabSize;
  const dense = isCut ? await withTokensOf(model, request.dense!) : request.dense;
  const start = performance.now();
  const windows = cutWindows(request);
  const evaluations: Evaluation[] = [];
  const groupSize = Math.max(1, Math.floor(hiddenBytes / (4 * model.spec.hiddenSize * windows.length)));
  for (let done = 0; done < windows.count; done += groupSize) {
    report({ type: "stage", name: "evaluate", done, total: windows.count });
    const group = judgedBetween(windows, done, Math.min(done + groupSize, windows.count));
    const number = evaluations.length;
    evaluations.push(
      await evaluateModel(backend, model, group, {
        ...(dense && { dense }),
        ...(denseHidden && { denseHidden: (compute) => denseHidden(number, compute) }),
        ...(signal && { signal }),
      }),
    );
  }
  report({ type: "stage", name: "evaluate", done: windows.count, total: windows.count });
  const { protocol, context, stride } = options;
  const how = { protocol, windows: windows.count, context, ...(stride < context && { stride }) };
  const extent = { model: model.checkpoint.name, text: text.name, ...how };
  const shared = isCut ? { keptTokens: model.spec.vocabSize } : {};
  const figures = merge(evaluations);
  return {
    ...extent,
    ...figures,
    bitsPerByte: bitsPerByte(figures.perplexity, windows, request.tokenizer),
    ...shared,
    device: backend.device,
    seconds: (performance.now() - start) / 1000,
  };
}

/** The warning where the judged part of a text is one that the model was calibrated on, as far as the model tells. */
export async function calibrationWarning({
  model,
  tokenizer,
  text,
  options,
}: Pick<EvaluationRequest, "model" | "tokenizer" | "text" | "options">): Promise<string | undefined> {
  const texts = await recordedTexts(model.checkpoint);
  if (texts === undefined) return undefined;
  const { ids } = cutWindows({ model, tokenizer, text, options });
  return sketchWarning({ name: text.name, text: tokenizer.decode([...ids]) }, texts);
}

/** Means over all targets from the means of groups; perplexities are averaged as losses. */
function merge(
  groups: readonly Evaluation[],
): Pick<EvalResult, "perplexity" | "tokens" | "densePerplexity" | "klDivergence" | "topOneAgreement"> {
  const tokens = groups.reduce((sum, group) => sum + group.tokens, 0);
  const mean = (figure: (group: Evaluation) => number): number =>
    groups.reduce((sum, group) => sum + group.tokens * figure(group), 0) / tokens;
  const perplexity = Math.exp(mean((group) => Math.log(group.perplexity)));
  if (groups.some(({ comparison }) => comparison === undefined)) return { perplexity, tokens };
  return {
    perplexity,
    tokens,
    densePerplexity: Math.exp(mean(({ comparison }) => Math.log(comparison!.densePerplexity))),
    klDivergence: mean(({ comparison }) => comparison!.klDivergence),
    topOneAgreement: mean(({ comparison }) => comparison!.topOneAgreement),
  };
}
