// Tokens that a tokenizer knows and the model does not: added to the one without new rows in the embedding of the other.
import { CompError } from "../errors.ts";
import type { Tokenizer } from "./tokenizer.ts";

/**
 * Refuses ids that have no row in the model's embedding.
 *
 * @param embeddings rows of the embedding
 * @param where what the ids are of, for the message
 * @throws {CompError} "calibration" naming the first such token and its id
 */
export function checkEmbedded(ids: ArrayLike<number>, embeddings: number, tokenizer: Tokenizer, where: string): void {
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!;
    if (id < embeddings) continue;
    const token = JSON.stringify(tokenizer.token(id) ?? "");
    throw new CompError(
      "calibration",
      `${where} has the token ${token} (id ${id}), for which the model has no embedding: it has ${embeddings}, from id 0`,
      {
        hint: "take the token out of the text, or give the model a row for it (resize_token_embeddings of transformers)",
      },
    );
  }
}
