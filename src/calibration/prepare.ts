// From the choice of text to calibration windows: from the texts given, from the model itself, or from the bundled mix.
import { remembered } from "../cache/remembered.ts";
import { CompError } from "../errors.ts";
import type { CalibrationSummary } from "../events/common.ts";
import type { CalibrationChoice } from "../method/method.ts";
import type { Model } from "../model/model.ts";
import type { TokenWindows } from "../model/spec/token-windows.ts";
import type { CalibrationText } from "../options/prune.ts";
import type { RunContext } from "../run-context.ts";
import { joinDocuments } from "../texts/documents.ts";
import { sketchPassages } from "../texts/passage-sketch.ts";
import { checkEmbedded } from "../tokenizer/embedded.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { generateSamples } from "./self-generated.ts";
import { interleaveWindows, sampleWindows, splitWindows, type WindowOptions, windowCount } from "./windows.ts";

/** Windows kept out of all statistics, to measure the result on. */
const HELD_OUT = 8;

export interface CalibrationRequest {
  readonly model: Model;
  /** Called once; the tokenizer is let go before the model writes: each collection of garbage looks through its vocabulary. */
  readonly openTokenizer: () => Promise<Tokenizer>;
  readonly choice: CalibrationChoice;
  readonly bundledText: () => Promise<CalibrationText>;
}

export interface Calibration {
  readonly summary: CalibrationSummary;
  readonly windows: TokenWindows;
  readonly heldOut: TokenWindows;
}

/**
 * Calibration windows and held-out windows. Where the model writes text of its own beside given texts, these alone judge the
 * result; whatever is wrong with them shows before anything is written.
 */
export async function prepareCalibration(run: RunContext, request: CalibrationRequest): Promise<Calibration> {
  const { choice, model } = request;
  const samples = windowCount(model.spec, choice);
  const { first, bos, sampled, names, passages } = await readTexts(run, request, samples);
  const own = sampled ? samples - sampled.development.count : samples + HELD_OUT;
  const written =
    own > 0 ? sampleWindows(await generateTexts(run, request, first, own), windowOptions(choice, own, bos)) : undefined;
  if (!sampled) {
    const { development, heldOut } = splitWindows(written!, HELD_OUT);
    return { summary: summaryOf(choice, samples, "self-generated", [], samples), windows: development, heldOut };
  }
  const windows = written ? interleaveWindows(sampled.development, written) : sampled.development;
  const source = choice.calibration.length > 0 ? "file" : "bundled";
  const summary = { ...summaryOf(choice, samples, source, names, own), ...(passages !== "" && { passages }) };
  return { summary, windows, heldOut: sampled.heldOut };
}

interface ReadTexts {
  /** What texts of the model's own begin with; none where it cannot write one: no token, or too little memory for that. */
  readonly first: readonly number[];
  /** What every window begins with. */
  readonly bos: number | undefined;
  /** Windows of the texts; undefined where the model writes all itself. */
  readonly sampled: ReturnType<typeof splitWindows> | undefined;
  readonly names: readonly string[];
  /** A sketch of what stands in them. */
  readonly passages: string;
}

/** All that takes a tokenizer. */
async function readTexts({ memory }: RunContext, request: CalibrationRequest, samples: number): Promise<ReadTexts> {
  const { choice, model, bundledText } = request;
  const tokenizer = await request.openTokenizer();
  const bos = tokenizer.addsBos ? tokenizer.bosTokenId : undefined;
  const first = memory.ownText === "none" ? [] : firstTokens(model, tokenizer);
  const added = [bos, first.length === 1 ? first[0] : undefined].filter((id) => id !== undefined);
  checkEmbedded(added, model.spec.vocabSize, tokenizer, "the beginning of a text");
  const given = choice.calibration;
  if (given.length === 0 && first.length > 0) return { first, bos, sampled: undefined, names: [], passages: "" };
  const texts = given.length > 0 ? given : [await bundledText()];
  const ownWindows = given.length > 0 && first.length > 0 ? Math.round(choice.ownText * samples) : 0;
  const count = samples - ownWindows + HELD_OUT;
  const windows = sampleWindows(encodeTexts(texts, tokenizer, model.spec.vocabSize), windowOptions(choice, count, bos));
  const passages = sketchPassages(texts.map(joinDocuments));
  return { first, bos, sampled: splitWindows(windows, HELD_OUT), names: texts.map(({ name }) => name), passages };
}

/**
 * BOS, or the model's end of text. Of a mixture of experts any token that is no special one: what is written after BOS alone may be
 * of one kind, which a few experts are for, and the others would seem to be of no use.
 */
function firstTokens({ spec }: Model, { bosTokenId, eosTokenIds, decode, vocabSize }: Tokenizer): number[] {
  const [first] = [bosTokenId ?? eosTokenIds[0]].filter((id) => id !== undefined);
  if (first === undefined || spec.routing === undefined) return first === undefined ? [] : [first];
  const all = Array.from({ length: Math.min(vocabSize, spec.vocabSize) }, (_, id) => id);
  return all.filter((id) => decode([id]) !== "");
}

const windowOptions = (
  { context, seed }: CalibrationChoice,
  count: number,
  bos: number | undefined,
): WindowOptions => ({ count, length: context, seed, bos });

const summaryOf = (
  { context }: CalibrationChoice,
  windows: number,
  source: CalibrationSummary["source"],
  names: readonly string[],
  ownWindows: number,
): CalibrationSummary => ({ source, names, windows, ownWindows, context, tokens: windows * context });

/** Texts that the model writes. */
function generateTexts(
  run: RunContext,
  { model, choice: { context: length, seed } }: CalibrationRequest,
  firstTokens: readonly number[],
  count: number,
): Promise<number[][]> {
  const extent = { count, length, seed };
  const of = { ...extent, firstToken: firstTokens.length > 1 ? "any" : firstTokens[0]! };
  return remembered(run, { name: "own-text", model, of }, () =>
    generateSamples(run, model, { ...extent, firstTokens }),
  );
}

/** Token ids of each text. @throws {CompError} "calibration" when there are none, or one has no row in the embedding */
function encodeTexts(texts: readonly CalibrationText[], tokenizer: Tokenizer, embeddings: number): number[][] {
  const streams = texts.map((text) => {
    const ids = tokenizer.encode(joinDocuments(text));
    checkEmbedded(ids, embeddings, tokenizer, text.name);
    return ids;
  });
  if (streams.some((stream) => stream.length > 0)) return streams;
  throw new CompError("calibration", `there is no text in ${texts.map(({ name }) => name).join(", ")}`, {
    hint: "give other text with --calibration",
  });
}
