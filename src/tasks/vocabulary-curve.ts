// How much texts take with how many tokens, before anything is written.
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import type { VocabularyCurve, VocabularyPoint } from "../events/vocabulary.ts";
import type { Model } from "../model/model.ts";
import { countParameters } from "../model/spec/parameters.ts";
import type { CalibrationText } from "../options/prune.ts";
import { heldOutGrowth } from "../vocabulary/choose.ts";
import { leastWithin } from "../vocabulary/size.ts";
import { lookAtTexts, pauseUnder, rank } from "./cut-vocabulary.ts";

/** Shares of the vocabulary that are looked at, as far as they spell every text. */
const SHARES: readonly number[] = [1 / 64, 1 / 32, 1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2, 3 / 4];

/** Traces the curve of a checkpoint's vocabulary. @throws {CompError} as `cutToTexts` */
export async function traceVocabulary(
  source: Checkpoint,
  texts: readonly CalibrationText[],
  signal?: AbortSignal,
): Promise<VocabularyCurve> {
  const pause = pauseUnder(signal);
  const at = await lookAtTexts(source, texts, pause);
  const ranked = rank(at);
  const { needed, used, total } = ranked.order;
  const auto = await leastWithin(ranked.learnt, heldOutGrowth(ranked, pause));
  const pointOf = async (tokens: number): Promise<VocabularyPoint> => {
    await pause();
    const heldOut = ranked.heldOutWith(tokens);
    const sizes = sizesWith(at.model, Math.min(tokens, at.model.spec.vocabSize));
    return { tokens, ...sizes, texts: ranked.textsWith(ranked.order.first(tokens)), ...(heldOut && { heldOut }) };
  };
  const shares = SHARES.map((share) => Math.round(share * total)).filter((tokens) => tokens > needed);
  const sizes = [...new Set([needed, ...shares, used, auto])].filter((tokens) => tokens < total);
  const points: VocabularyPoint[] = [];
  for (const tokens of sizes.sort((a, b) => a - b)) points.push(await pointOf(tokens));
  return { model: source.name, needed, used, auto, points, whole: await pointOf(total) };
}

/** Of the model with so many rows, as its source stores them. */
function sizesWith({ spec, tensors }: Model, rows: number): Pick<VocabularyPoint, "parameters" | "bytes"> {
  const bytes = [...tensors.values()].map(({ byteLength, shape }) =>
    shape.length > 1 && shape[0] === spec.vocabSize ? (byteLength / spec.vocabSize) * rows : byteLength,
  );
  const parameters = countParameters({ ...spec, vocabSize: rows }).total;
  return { parameters, bytes: bytes.reduce((sum, size) => sum + size, 0) };
}
