// Continues a prompt: text in, tokens with their text out as they are decided.
import type { Backend } from "../compute/backend.ts";
import { CompError } from "../errors.ts";
import type { GeneratedToken } from "../events/model.ts";
import { generateTokens } from "../forward/decode/generate.ts";
import { createRandom } from "../linalg/random.ts";
import type { Model } from "../model/model.ts";
import { longestText } from "../model/spec/decoder-spec.ts";
import type { GenerateOptions } from "../options/generate.ts";
import { checkEmbedded } from "../tokenizer/embedded.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

export interface GenerationRequest {
  readonly backend: Backend;
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  readonly options: Omit<GenerateOptions, "device" | "threads">;
  /** Weights stay in memory when all of them take no more than this. */
  readonly budgetBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Generates until `maxTokens`, a token that ends the text, or the model's longest context.
 *
 * @throws {CompError} "option" when the prompt fills the context, or is empty and the tokenizer has nothing to begin with;
 * "calibration" when a token of it has no embedding
 */
export async function generateText(
  request: GenerationRequest,
  onToken: (token: GeneratedToken) => void,
): Promise<void> {
  const { backend, model, tokenizer, options, budgetBytes, signal } = request;
  const prompt = encodePrompt(tokenizer, options.prompt);
  checkEmbedded(prompt, model.spec.vocabSize, tokenizer, "the prompt");
  const room = longestText(model.spec) - prompt.length;
  if (room < 1)
    throw new CompError("option", `the prompt has ${prompt.length} tokens, the model takes ${prompt.length + room}`);
  const random = createRandom(options.seed);
  const sampling = {
    prompt,
    maxTokens: Math.min(options.maxTokens, room),
    temperature: options.temperature,
    stopTokens: tokenizer.eosTokenIds,
    random: () => random.nextFloat(),
    budgetBytes,
    signal,
  };
  const decode = createIncrementalDecoder(tokenizer, prompt);
  // a token that adds nothing waits for the next: should it be the last, what it has of a character is shown
  let waiting: GeneratedToken | undefined;
  await generateTokens(backend, model, sampling, (id) => {
    if (waiting) onToken(waiting);
    const token = { id, text: decode.next(id) };
    waiting = token.text === "" ? token : undefined;
    if (!waiting) onToken(token);
  });
  if (waiting) onToken({ ...waiting, text: decode.rest() });
}

function encodePrompt(tokenizer: Tokenizer, text: string): number[] {
  const { bosTokenId, eosTokenIds, addsBos } = tokenizer;
  const ids = tokenizer.encode(text);
  if (addsBos && bosTokenId !== undefined) return [bosTokenId, ...ids];
  if (ids.length > 0) return ids;
  const first = bosTokenId ?? eosTokenIds[0];
  if (first === undefined)
    throw new CompError("option", "this model's tokenizer has no token to begin with", { hint: "give a --prompt" });
  return [first];
}

/** Text that each token adds. A character spread over several tokens appears with the last of them. */
function createIncrementalDecoder(
  tokenizer: Tokenizer,
  prompt: readonly number[],
): { next(id: number): string /** What is still to be shown, whole characters or not. */; rest(): string } {
  const ids = [...prompt];
  let shown = tokenizer.decode(ids);
  return {
    next(id) {
      ids.push(id);
      const text = tokenizer.decode(ids);
      if (text.endsWith("\ufffd") || !text.startsWith(shown)) return "";
      const added = text.slice(shown.length);
      shown = text;
      return added;
    },
    rest() {
      const text = tokenizer.decode(ids);
      return text.startsWith(shown) ? text.slice(shown.length) : "";
    },
  };
}
