// The probes as token ids, and what a model answers.
import type { Backend } from "../../compute/backend.ts";
import { CompError } from "../../errors.ts";
import type { ProbeFigures } from "../../events/model.ts";
import { ResidentWeights } from "../../forward/decode/resident-weights.ts";
import type { Model } from "../../model/model.ts";
import { type DecoderSpec, longestText } from "../../model/spec/decoder-spec.ts";
import { checkEmbedded } from "../../tokenizer/embedded.ts";
import type { Tokenizer } from "../../tokenizer/tokenizer.ts";
import { type EncodedRequest, encodeRequest } from "../encode-requests.ts";
import { type Likelihood, logLikelihoods } from "../likelihoods.ts";
import { type ProbeName, probeItems, probes } from "./index.ts";
import { freshShare, greedyTexts, loopBeginnings } from "./loops.ts";

/** Bytes of hidden states at once. */
const HIDDEN_BYTES = 64 * 2 ** 20;
/** Of greedy texts for so many questions of a probe. */
const QUESTIONS_PER_TEXT = 8;

export interface ProbeAmount {
  readonly seed: number;
  /** Questions of each probe. */
  readonly questions: number;
  /** Tokens of each greedy text, where the model takes as many; 0: no such text. */
  readonly greedyTokens: number;
}

/** Plain data: all that the answers depend on besides the model. */
export interface EncodedProbes {
  /** Of each probe, the questions by what they share, each with its choices. */
  readonly questions: Readonly<Record<ProbeName, readonly (readonly (readonly EncodedRequest[])[])[]>>;
  readonly beginnings: readonly (readonly number[])[];
  readonly bosTokenId: number | undefined;
  readonly greedyTokens: number;
}

const NAMES = Object.keys(probes) as ProbeName[];

const ofEach = <Value>(of: (name: ProbeName) => Value): Record<ProbeName, Value> =>
  Object.fromEntries(NAMES.map((name) => [name, of(name)])) as Record<ProbeName, Value>;

/**
 * The probes in a model's tokens.
 *
 * @throws {CompError} "calibration" when the tokenizer cannot spell a probe, or makes tokens that the model has no embedding for
 */
export function encodeProbes(
  tokenizer: Tokenizer,
  spec: DecoderSpec,
  { seed, questions: count, greedyTokens }: ProbeAmount,
): EncodedProbes {
  const longest = longestText(spec);
  const check = (ids: readonly number[], text: string): void => {
    checkEmbedded(ids, spec.vocabSize, tokenizer, "a probe");
    checkSpelt(tokenizer, text);
  };
  const questionsOf = (name: ProbeName) =>
    probeItems(name, seed, count).map((items) =>
      items.map(({ prompt, choices }) =>
        choices.map((continuation) => {
          const encoded = encodeRequest(tokenizer, { context: prompt, continuation }, longest);
          check([...encoded.inputs, ...encoded.targets], prompt + continuation);
          return encoded;
        }),
      ),
    );
  const beginnings = loopBeginnings(seed, Math.ceil(count / QUESTIONS_PER_TEXT)).map((text) => {
    const ids = tokenizer.encode(text);
    check(ids, text);
    return ids;
  });
  const room = longest - Math.max(...beginnings.map((ids) => ids.length)) - 1; // BOS included
  return {
    questions: ofEach(questionsOf),
    beginnings,
    bosTokenId: tokenizer.addsBos ? tokenizer.bosTokenId : undefined,
    greedyTokens: Math.min(greedyTokens, room),
  };
}

/** Whether the tokens still say what the text says, blanks aside: a vocabulary may lack letters, and not tell. */
function checkSpelt(tokenizer: Tokenizer, text: string): void {
  const bare = (spelt: string): string => spelt.replace(/\s/g, "");
  if (bare(tokenizer.decode(tokenizer.encode(text))) === bare(text)) return;
  throw new CompError("calibration", "the tokenizer cannot spell the probes", {
    hint: "they are in English, French, German and Spanish; measure the model on a text instead",
  });
}

export interface AskOptions {
  /** Weights stay in memory for the greedy texts when all of them take no more than this. */
  readonly budgetBytes: number;
  readonly onLayer: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Share of right answers of each probe, and of what greedy text does not repeat where there is any. */
export async function askProbes(
  backend: Backend,
  model: Model,
  encoded: EncodedProbes,
  options: AskOptions,
): Promise<ProbeFigures> {
  const groups = NAMES.flatMap((name) => encoded.questions[name]);
  const answers = await logLikelihoods(
    backend,
    model,
    groups.map((group) => group.flat()),
    { hiddenBytes: HIDDEN_BYTES, ...options },
  );
  const right = new Map(groups.map((group, i) => [group, countRight(group, answers[i]!)]));
  const shareOf = (name: ProbeName): number => {
    const own = encoded.questions[name];
    return sum(own.map((group) => right.get(group)!)) / sum(own.map((group) => group.length));
  };
  const shares = ofEach(shareOf);
  return encoded.greedyTokens < 1
    ? shares
    : { ...shares, freshText: await freshTextShare(backend, model, encoded, options) };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Questions whose first choice, the right one, is the likeliest. */
function countRight(group: readonly (readonly EncodedRequest[])[], answers: readonly Likelihood[]): number {
  let [at, count] = [0, 0];
  for (const choices of group) {
    const [first, ...others] = answers.slice(at, at + choices.length);
    if (others.every(({ logLikelihood }) => first!.logLikelihood > logLikelihood)) count++;
    at += choices.length;
  }
  return count;
}

/** Of greedy continuations of the beginnings, the share that does not repeat what stands before. */
async function freshTextShare(
  backend: Backend,
  model: Model,
  { beginnings, bosTokenId, greedyTokens: count }: EncodedProbes,
  { budgetBytes, signal }: AskOptions,
): Promise<number> {
  const weights = new ResidentWeights(model, budgetBytes);
  const texts = await greedyTexts(backend, weights, { beginnings, bosTokenId, count, signal });
  return sum(texts.map(freshShare)) / texts.length;
}
