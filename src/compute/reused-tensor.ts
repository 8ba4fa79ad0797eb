// Memory for results of the same kind that follow one another: new memory for each would have to be mapped, filled with zeros and
// collected again.
import { elementCount, type Shape, type Tensor, tensor } from "./tensor.ts";

/** Holds one f32 tensor at a time; the next one takes its place. */
export class ReusedTensor {
  #memory = new Float32Array(0);

  /** A tensor of a shape, with whatever values its memory held; what was given before is no longer valid. */
  of(shape: Shape): Tensor<Float32Array> {
    const size = elementCount(shape);
    if (size > this.#memory.length) this.#memory = new Float32Array(size);
    return tensor(this.#memory.subarray(0, size), shape);
  }
}

/** Several such tensors, by number. */
export class ReusedTensors {
  readonly #tensors: ReusedTensor[] = [];

  /** The tensor of a number, of a shape, as of `ReusedTensor`. */
  of(index: number, shape: Shape): Tensor<Float32Array> {
    this.#tensors[index] ??= new ReusedTensor();
    return this.#tensors[index].of(shape);
  }

  /** Gives the memory back; no tensor is valid any longer. */
  release(): void {
    this.#tensors.length = 0;
  }
}
