// The first stage of a run: the tokens that given texts do not use go, and what comes after sees a model of fewer tokens.
import { enoughTokens } from "../allocation/vocabulary.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import type { Backend } from "../compute/backend.ts";
import { CompError } from "../errors.ts";
import { removedProbability } from "../evaluate/removed-probability.ts";
import type { VocabularyResult } from "../events/vocabulary.ts";
import { type Model, openModel } from "../model/model.ts";
import { countParameters } from "../model/spec/parameters.ts";
import type { TokenWindows } from "../model/spec/token-windows.ts";
import { cutVocabulary, namedIds } from "../model/vocabulary-cut.ts";
import type { CalibrationText, PruneOptions } from "../options/prune.ts";
import { joinDocuments } from "../texts/documents.ts";
import { createTokenizer, type Tokenizer } from "../tokenizer/tokenizer.ts";
import { chatTemplate, readTokenizerSource } from "../tokenizer/tokenizer-source.ts";
import { createRenumbering } from "../tokenizer/trim/renumbering.ts";
import {
  chooseVocabulary,
  type Pause,
  type RankedVocabulary,
  rankVocabulary,
  type TextsAtHand,
} from "../vocabulary/choose.ts";
import { countUsage, type TextUsage } from "../vocabulary/usage.ts";
import type { OutputRequest } from "./pruned-output.ts";

/** Windows on which the probability of removed tokens is measured, at most. */
const WINDOWS = 4;

/** A model of which some tokens have gone. */
export interface VocabularyCut {
  /** With all tokens. */
  readonly source: Checkpoint;
  /** With the tokens that stay alone. */
  readonly checkpoint: Checkpoint;
  readonly result: VocabularyResult;
  /** Measures what the whole model gives to the tokens that go: seconds, since it runs on a few windows. */
  measureRemoved(backend: Backend): Promise<number | undefined>;
}

/** How much of the model is to go, as far as the vocabulary counts towards it. */
export type VocabularyGoal = Pick<PruneOptions, "vocabulary" | "vocabularySize"> & {
  /** Fraction of all parameters; 0 where the vocabulary is to give all that it can. */
  readonly sparsity: number;
};

/**
 * Cuts a checkpoint's vocabulary down to what the texts use.
 *
 * @throws {CompError} "calibration" for texts without a token, "checkpoint" for a tokenizer whose tokens cannot be told apart from
 *   what they are made of, "option" for a size too small
 */
export async function cutToTexts(
  source: Checkpoint,
  goal: VocabularyGoal,
  signal?: AbortSignal,
): Promise<VocabularyCut> {
  const pause = pauseUnder(signal);
  const at = await lookAtTexts(source, goal.vocabulary, pause);
  const { model, tokenizer, texts } = at;
  const { spec } = model;
  const { kept, ...growth } = await chooseVocabulary(rank(at), {
    pause,
    total: tokenizer.vocabSize,
    size: goal.vocabularySize,
    enough: enoughTokens(spec, goal.sparsity),
  });
  const renumbering = createRenumbering(kept);
  const checkpoint = await cutVocabulary(model, at.source.json, renumbering);
  const cut = await openModel(checkpoint);
  const result: VocabularyResult = {
    tokens: { before: tokenizer.vocabSize, after: kept.filter((id) => id < tokenizer.vocabSize).length },
    rows: { before: spec.vocabSize, after: cut.spec.vocabSize },
    ...sizes(model, cut),
    texts: growth.texts,
    ...(growth.heldOut && { heldOut: growth.heldOut }),
  };
  return { source, checkpoint, result, measureRemoved: createMeasurement(model, cut, excerpts(texts, tokenizer)) };
}

/** Counting and spelling never wait for anything: without a pause a signal would be heard when all is done. */
export const pauseUnder =
  (signal: AbortSignal | undefined): Pause =>
  async () => {
    await new Promise((resolve) => setTimeout(resolve));
    signal?.throwIfAborted();
  };

/** A function that holds on to no more than it needs: a tokenizer takes hundreds of megabytes, and the run goes on. */
const createMeasurement =
  (model: Model, cut: Model, windows: TokenWindows | undefined) =>
  async (backend: Backend): Promise<number | undefined> =>
    windows && removedProbability(backend, model, cut, windows);

/** A cut whose cost is measured, and its source, as what is written of it takes them. */
export async function measuredVocabulary(
  cut: VocabularyCut | undefined,
  backend: Backend,
): Promise<Pick<OutputRequest, "source" | "vocabulary">> {
  if (cut === undefined) return {};
  const removed = await cut.measureRemoved(backend);
  const vocabulary = { ...cut.result, ...(removed !== undefined && { removedProbability: removed }) };
  return { source: cut.source, vocabulary };
}

function checkTexts(texts: readonly TextUsage[]): void {
  const empty = texts.find(({ tokens }) => tokens === 0);
  if (empty !== undefined) throw new CompError("calibration", `${empty.name} holds no text`);
}

/** A model and its tokenizer, and what some texts use of it. */
export interface TextsOfModel extends TextsAtHand {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
}

/** @throws {CompError} "calibration" for a text without a token */
export async function lookAtTexts(
  source: Checkpoint,
  given: readonly CalibrationText[],
  pause: Pause,
): Promise<TextsOfModel> {
  const model = await openModel(source);
  const tokenizerSource = await readTokenizerSource(source);
  const tokenizer = createTokenizer(tokenizerSource, source.name);
  const texts: TextUsage[] = [];
  for (const text of given) {
    await pause();
    texts.push(countUsage(text.name, joinDocuments(text), tokenizer));
  }
  await pause();
  checkTexts(texts);
  const template = await chatTemplate(source, tokenizerSource.config);
  const limit = Math.max(model.spec.vocabSize, tokenizer.vocabSize);
  const named = [...(await namedIds(source)), ...tokenizer.encode(template ?? "")].filter((id) => id < limit);
  return { model, tokenizer, source: tokenizerSource, texts, named };
}

/** @throws {CompError} "checkpoint" for a tokenizer whose tokens cannot be told apart from what they are made of */
export function rank(at: TextsOfModel): RankedVocabulary {
  try {
    return rankVocabulary(at);
  } catch (cause) {
    const { name } = at.model.checkpoint;
    throw new CompError("checkpoint", `the vocabulary of ${name} cannot be cut: ${(cause as Error).message}`, {
      hint: "BPE and Unigram vocabularies can, where no piece marks the end of a word; leave --vocabulary out",
      cause,
    });
  }
}

function sizes(model: Model, cut: Model): Pick<VocabularyResult, "parameters" | "bytes"> {
  const bytes = ({ tensors }: Model): number =>
    [...tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  return {
    parameters: { before: countParameters(model.spec).total, after: countParameters(cut.spec).total },
    bytes: { before: bytes(model), after: bytes(cut) },
  };
}

/** Windows of one length from the texts, after BOS where the tokenizer puts it; undefined where no text is long enough. */
function excerpts(texts: readonly TextUsage[], { addsBos, bosTokenId }: Tokenizer): TokenWindows | undefined {
  const longest = Math.max(...texts.map(({ excerpt }) => excerpt.length));
  if (longest < 2) return undefined;
  const prefix = addsBos && bosTokenId !== undefined ? [bosTokenId] : [];
  const rows = texts.filter(({ excerpt }) => excerpt.length === longest).slice(0, WINDOWS);
  const ids = rows.flatMap(({ excerpt }) => [...prefix, ...excerpt]);
  return { ids: Int32Array.from(ids), count: rows.length, length: prefix.length + longest };
}
