// The next tokens of many sequences at once: a graph sums the weights of blocks of tokens, and of each sequence only the block that
// its draw falls into is looked at token by token.
import type { Backend } from "../../compute/backend.ts";
import { Graph } from "../../compute/graph.ts";
import { mul, reshape, sum } from "../../compute/operations/elementwise.ts";
import { softmax } from "../../compute/operations/normalize.ts";
import { pad } from "../../compute/operations/shape.ts";
import { tensor } from "../../compute/tensor.ts";
import { ProgramCache } from "../run/programs.ts";
import { BLOCK, drawToken } from "./sample.ts";

/** Bytes of the logits that are looked at together. */
const LOGIT_BYTES = 4 * 2 ** 20;

/** Draws for sequences each of which has a temperature of its own. */
export class BatchSampler {
  readonly #programs: ProgramCache;
  readonly #vocabSize: number;
  readonly #temperatures: readonly number[];

  /** @param temperatures of each sequence, above 0 */
  constructor(backend: Backend, vocabSize: number, temperatures: readonly number[]) {
    this.#programs = new ProgramCache(backend);
    this.#vocabSize = vocabSize;
    this.#temperatures = temperatures;
  }

  /**
   * A token of each sequence, drawn from softmax(logits / temperature).
   *
   * @param logits [sequences, vocabSize]
   * @param random uniform in [0, 1), for a sequence
   */
  async draw(logits: Float32Array, random: (sequence: number) => number): Promise<Int32Array<ArrayBuffer>> {
    const [count, size] = [this.#temperatures.length, this.#vocabSize];
    const tokens = new Int32Array(count);
    const together = Math.max(1, Math.floor(LOGIT_BYTES / (4 * size)));
    for (let first = 0; first < count; first += together) {
      const end = Math.min(first + together, count);
      const rows = logits.subarray(first * size, end * size);
      const sums = await this.#weigh(rows, this.#temperatures.slice(first, end));
      const blocks = sums.length / (end - first);
      for (let i = first; i < end; i++) {
        const at = i - first;
        const own = rows.subarray(at * size, (at + 1) * size);
        const weights = sums.subarray(at * blocks, (at + 1) * blocks);
        tokens[i] = drawToken(own, this.#temperatures[i]!, weights, random(i));
      }
    }
    return tokens;
  }

  release(): Promise<void> {
    return this.#programs.release();
  }

  /** The shares of blocks of tokens. [rows, blocks] */
  async #weigh(logits: Float32Array, temperatures: readonly number[]): Promise<Float32Array> {
    const [count, size] = [temperatures.length, this.#vocabSize];
    const program = await this.#programs.get(["shares of blocks", count], () => shareGraph(count, size));
    const scales = Float32Array.from(temperatures, (temperature) => 1 / temperature);
    const found = await program.run({ logits: tensor(logits, [count, size]), scales: tensor(scales, [count, 1]) });
    return found.shares!.data as Float32Array;
  }
}

/** From logits [count, size] and 1 / temperature, `scales` [count, 1]: what blocks of tokens have of the softmax, [count, blocks]. */
function shareGraph(count: number, size: number): Graph {
  const graph = new Graph();
  const scaled = mul(graph.input("logits", [count, size]), graph.input("scales", [count, 1]));
  const blocks = Math.ceil(size / BLOCK);
  const missing = blocks * BLOCK - size;
  const shares = missing === 0 ? softmax(scaled) : pad(softmax(scaled), 1, 0, missing);
  graph.output("shares", reshape(sum(reshape(shares, [count, blocks, BLOCK]), [2]), [count, blocks]));
  return graph;
}
