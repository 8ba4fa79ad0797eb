// A tensor as the backends exchange it: typed data, row-major, with its shape.

export type Shape = readonly number[];
export type ElementType = "f16" | "f32" | "f64" | "i32";
/** Uint16Array: the bit patterns of f16. */
export type TensorData = Uint16Array | Float32Array | Float64Array | Int32Array;

export interface Tensor<D extends TensorData = TensorData> {
  readonly data: D;
  readonly shape: Shape;
}

/** The element type that data are of. */
export function elementTypeOf(data: TensorData): ElementType {
  if (data instanceof Float32Array) return "f32";
  if (data instanceof Float64Array) return "f64";
  return data instanceof Int32Array ? "i32" : "f16";
}

export const elementCount = (shape: Shape): number => shape.reduce((product, size) => product * size, 1);

/** Pairs data with its shape. @throws {RangeError} when the sizes disagree: always a programming error. */
export function tensor<D extends TensorData>(data: D, shape: Shape): Tensor<D> {
  if (data.length !== elementCount(shape))
    throw new RangeError(`${data.length} elements do not fill [${shape.join(", ")}]`);
  return { data, shape };
}

/** An f32 tensor of zeros. */
export const zeros = (shape: Shape): Tensor<Float32Array> => tensor(new Float32Array(elementCount(shape)), shape);

/** Rows `start` to `end` − 1 of the first axis: a view. */
export function tensorRows<D extends TensorData>({ data, shape }: Tensor<D>, start: number, end: number): Tensor<D> {
  const size = elementCount(shape.slice(1));
  return tensor(data.subarray(start * size, end * size) as D, shape.with(0, end - start));
}
