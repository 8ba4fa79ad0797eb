// What is checked of a tokenizer: that it loses nothing, and gives no id that the model does not know.
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { CompError } from "../errors.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

/** Words, figures, marks and two lines, of which no tokenizer changes a character. */
const SHORT_TEXT = 'Twice 21 makes 42: a short text, with (two) lines and "marks".\nIt ends here; nothing is lost!';

/**
 * Sends a short text there and back.
 *
 * @param embeddings rows of the model's embedding
 * @throws {CompError} "checkpoint" for a text that comes back changed, or an id for which there is no embedding
 */
export function checkTokenizer(
  checkpoint: Checkpoint,
  tokenizer: Tokenizer,
  embeddings: number,
): { readonly characters: number; readonly tokens: number } {
  checkSpecialTokens(checkpoint, tokenizer, embeddings);
  const ids = tokenizer.encode(SHORT_TEXT);
  const refuse = (what: string): CompError =>
    new CompError("checkpoint", `${checkpoint.name}: the tokenizer ${what}`, {
      hint: "take the tokenizer files of the model that it was made from",
    });
  const foreign = ids.find((id) => !(id < embeddings));
  if (foreign !== undefined)
    throw refuse(
      `has ${JSON.stringify(tokenizer.token(foreign))} as token ${foreign}, for which the model has no embedding: it has ${embeddings}, from id 0`,
    );
  const text = tokenizer.decode(ids);
  if (text !== SHORT_TEXT)
    throw refuse(`gives back ${JSON.stringify(text)} for the text ${JSON.stringify(SHORT_TEXT)}`);
  return { characters: SHORT_TEXT.length, tokens: ids.length };
}

/** BOS and EOS by number: a model that is sent one that it does not know fails, one that never ends goes on. */
function checkSpecialTokens(checkpoint: Checkpoint, tokenizer: Tokenizer, embeddings: number): void {
  const { bosTokenId, eosTokenIds } = tokenizer;
  const named = [["BOS", bosTokenId] as const, ...eosTokenIds.map((id) => ["EOS", id] as const)];
  const size = Math.min(embeddings, tokenizer.vocabSize);
  for (const [role, id] of [...named, ...headerTokens(checkpoint)])
    if (id !== undefined && !(Number.isInteger(id) && id >= 0 && id < size))
      throw new CompError(
        "checkpoint",
        `${checkpoint.name} gives ${id} as the id of its ${role} token; there are ${size}, from id 0`,
        {
          hint:
            checkpoint.format === "gguf"
              ? "write the file again from a model whose tokenizer is whole"
              : "correct the id in config.json or generation_config.json",
        },
      );
}

/** As a GGUF header states them: reading it drops those that are outside, as llama.cpp does. */
const headerTokens = ({ metadata }: Checkpoint): (readonly [role: string, id: number | undefined])[] =>
  (["bos", "eos"] as const).map((role) => {
    const id = metadata.get(`tokenizer.ggml.${role}_token_id`);
    return [role.toUpperCase(), id === undefined ? undefined : Number(id)];
  });
