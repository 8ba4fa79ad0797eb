// Judges a model on the probes: small sets made from a seed, which need no file and take seconds.
import type { Backend } from "../compute/backend.ts";
import { encodeRequest } from "../evaluate/encode-requests.ts";
import { type Likelihood, logLikelihoods } from "../evaluate/likelihoods.ts";
import { type ProbeName, probeItems, probes } from "../evaluate/probes/index.ts";
import { freshShare, greedyTexts, LOOP_TOKENS, loopBeginnings } from "../evaluate/probes/loops.ts";
import type { StageEvent } from "../events/common.ts";
import type { ProbeFigures } from "../events/model.ts";
import { ResidentWeights } from "../forward/decode/resident-weights.ts";
import type { Model } from "../model/model.ts";
import { longestText } from "../model/spec/decoder-spec.ts";
import { checkEmbedded } from "../tokenizer/embedded.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

/** Bytes of hidden states at once. */
const HIDDEN_BYTES = 64 * 2 ** 20;
/** Of greedy texts for so many questions of a probe. */
const QUESTIONS_PER_TEXT = 8;

export interface ProbesRequest {
  readonly backend: Backend;
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  readonly seed: number;
  /** Questions of each probe. */
  readonly count: number;
  /** Weights stay in memory for the greedy texts when all of them take no more than this. */
  readonly budgetBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Share of right answers of each probe, and of what greedy text does not repeat.
 *
 * @throws {CompError} "calibration" when the tokenizer makes tokens of a probe that the model has no embedding for
 */
export async function evaluateProbes(
  request: ProbesRequest,
  report: (event: StageEvent) => void = () => undefined,
): Promise<ProbeFigures> {
  const { backend, model, tokenizer, seed, count, signal } = request;
  const names = Object.keys(probes) as ProbeName[];
  const longest = longestText(model.spec);
  const questions = names.map((name) =>
    probeItems(name, seed, count).map(({ prompt, choices }) =>
      choices.map((continuation) => {
        const encoded = encodeRequest(tokenizer, { context: prompt, continuation }, longest);
        checkEmbedded([...encoded.inputs, ...encoded.targets], model.spec.vocabSize, tokenizer, "a probe");
        return encoded;
      }),
    ),
  );
  const likelihoods = await logLikelihoods(backend, model, questions.flat(), {
    hiddenBytes: HIDDEN_BYTES,
    onLayer: (done, total) => report({ type: "stage", name: "evaluate", done, total }),
    signal,
  });
  let first = 0;
  const shares = questions.map((own) => {
    const answers = likelihoods.slice(first, first + own.length);
    first += own.length;
    return answers.filter(isRight).length / own.length;
  });
  const figures = Object.fromEntries(names.map((name, i) => [name, shares[i]!])) as Record<ProbeName, number>;
  return { ...figures, freshText: await freshTextShare(request) };
}

/** Whether the first choice, the right one, is the likeliest. */
const isRight = ([first, ...others]: readonly Likelihood[]): boolean =>
  others.every(({ logLikelihood }) => first!.logLikelihood > logLikelihood);

/** Of greedy continuations of some beginnings, the share that does not repeat what stands before. */
async function freshTextShare({
  backend,
  model,
  tokenizer,
  seed,
  count,
  budgetBytes,
  signal,
}: ProbesRequest): Promise<number> {
  const beginnings = loopBeginnings(seed, Math.ceil(count / QUESTIONS_PER_TEXT)).map((text) => tokenizer.encode(text));
  for (const ids of beginnings) checkEmbedded(ids, model.spec.vocabSize, tokenizer, "a probe");
  const longest = Math.max(...beginnings.map((ids) => ids.length)) + 1; // BOS included
  const texts = await greedyTexts(backend, new ResidentWeights(model, budgetBytes), {
    beginnings,
    bosTokenId: tokenizer.addsBos ? tokenizer.bosTokenId : undefined,
    count: Math.min(LOOP_TOKENS, longestText(model.spec) - longest),
    signal,
  });
  return texts.reduce((sum, ids) => sum + freshShare(ids), 0) / texts.length;
}
