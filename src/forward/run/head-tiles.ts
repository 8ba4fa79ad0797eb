// The weights of the output head, the matrix as tiles of vocabulary rows.
import { type Tensor, tensor } from "../../compute/tensor.ts";
import type { Model } from "../../model/model.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import { finalNormTensors, headTensor } from "../../model/spec/tensor-names.ts";
import type { FinalNormWeights } from "../graphs/head.ts";

/** Bytes of head weights in memory at once. */
const TILE_BYTES = 24 * 2 ** 20;

/** Token ids `start` to `end` − 1. */
export interface TileRange {
  readonly start: number;
  readonly end: number;
}

/** Rows of the head for a range of token ids. */
export interface HeadTile extends TileRange {
  readonly weight: Tensor<Float32Array>; // [end - start, hiddenSize]
}

/** The ranges that together are the vocabulary, in order of token id. */
export function tileRanges(
  { vocabSize, hiddenSize }: Pick<DecoderSpec, "vocabSize" | "hiddenSize">,
  tileBytes: number = TILE_BYTES,
): TileRange[] {
  const rows = Math.max(1, Math.floor(tileBytes / (4 * hiddenSize)));
  return Array.from({ length: Math.ceil(vocabSize / rows) }, (_, i) => ({
    start: i * rows,
    end: Math.min(vocabSize, (i + 1) * rows),
  }));
}

/** Reads one tile; with tied embeddings its rows are those of the embedding matrix. */
export async function readTile(model: Model, { start, end }: TileRange): Promise<HeadTile> {
  const rows = await model.readRows(headTensor(model.spec).name, start, end);
  return { start, end, weight: tensor(rows, [end - start, model.spec.hiddenSize]) };
}

export async function readFinalNorm(model: Model): Promise<FinalNormWeights> {
  const [weight, bias] = finalNormTensors(model.spec);
  const read = async ({ name, shape }: NonNullable<typeof weight>): Promise<Tensor> =>
    tensor(await model.read(name), shape);
  return { finalNorm: await read(weight!), ...(bias && { finalNormBias: await read(bias) }) };
}
