// The output head as tiles of vocabulary rows.
import { type Tensor, tensor } from "../../compute/tensor.ts";
import type { Model } from "../../model/model.ts";

/** Bytes of head weights in memory at once. */
const TILE_BYTES = 24 * 2 ** 20;

/** Rows of the head for token ids start, start + 1, ... */
export interface HeadTile {
  readonly start: number;
  readonly weight: Tensor<Float32Array>; // [rows, hiddenSize]
}

/** The head's tiles in order of token id; with tied embeddings they are rows of the embedding matrix. */
export async function* headTiles(model: Model, tileBytes: number = TILE_BYTES): AsyncGenerator<HeadTile> {
  const { vocabSize, hiddenSize, tiedEmbeddings } = model.spec;
  const name = tiedEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight";
  const tileRows = Math.max(1, Math.floor(tileBytes / (4 * hiddenSize)));
  for (let start = 0; start < vocabSize; start += tileRows) {
    const end = Math.min(vocabSize, start + tileRows);
    yield { start, weight: tensor(await model.readRows(name, start, end), [end - start, hiddenSize]) };
  }
}

export async function readFinalNorm(model: Model): Promise<Tensor<Float32Array>> {
  return tensor(await model.read("model.norm.weight"), [model.spec.hiddenSize]);
}
