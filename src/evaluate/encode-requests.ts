// Texts of requests → token ids, as lm-evaluation-harness 0.4.13 makes them (lm_eval/api/model.py, models/huggingface.py).
import type { LikelihoodRequest } from "../benchmarks/benchmark.ts";
import { CompError } from "../errors.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

export interface EncodedRequest {
  /** What the model reads: all but the last token of context and continuation. */
  readonly inputs: readonly number[];
  /** The continuation: what the last inputs should predict, at least one. */
  readonly targets: readonly number[];
}

/**
 * The ids that a model reads for a request, and those that it should predict.
 *
 * Blanks that end the context belong to the continuation; both are encoded as one text, whose ids behind the context's own are the
 * continuation. A text that does not fit loses its beginning.
 *
 * @param maxLength tokens that the model reads at most
 * @throws {CompError} "calibration" when nothing stands before the continuation
 */
export function encodeRequest(
  tokenizer: Tokenizer,
  { context, continuation }: LikelihoodRequest,
  maxLength: number,
): EncodedRequest {
  const bare = context.trimEnd();
  const before = bare === "" ? startOf(tokenizer) : encodeText(tokenizer, bare);
  const whole =
    bare === ""
      ? [...before, ...tokenizer.encode(context + continuation)]
      : encodeText(tokenizer, context + continuation);
  const inputs = whole.slice(0, -1).slice(-maxLength);
  if (inputs.length === 0)
    throw new CompError("calibration", `nothing stands before ${JSON.stringify(continuation)} that could predict it`, {
      hint: "the tokenizer has neither a BOS nor an EOS token to begin with; take the row out",
    });
  const targets = whole.slice(before.length).slice(-inputs.length);
  return { inputs, targets: targets.length > 0 ? targets : whole.slice(-1) };
}

/** BOS where the tokenizer adds it, and the text does not begin with it already. */
function encodeText(tokenizer: Tokenizer, text: string): number[] {
  const ids = tokenizer.encode(text);
  const { addsBos, bosTokenId } = tokenizer;
  return addsBos && bosTokenId !== undefined && ids[0] !== bosTokenId ? [bosTokenId, ...ids] : ids;
}

/** What stands in the place of no context. */
function startOf({ bosTokenId, eosTokenIds }: Tokenizer): number[] {
  const id = bosTokenId ?? eosTokenIds[0];
  return id === undefined ? [] : [id];
}
