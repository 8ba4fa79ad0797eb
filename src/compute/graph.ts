// A graph of tensor operations, built by calling the functions of operations/. It is plain data: onnx.ts serialises it,
// differentiate.ts extends it by its own gradient. Shapes are known at every node.
import { type ElementType, elementCount, type Shape } from "./tensor.ts";

export type Attributes = Readonly<Record<string, number | boolean | readonly number[] | string>>;

/** Writes the nodes of one operation into an ONNX graph. */
export interface OnnxEmitter {
  /** Adds a node with one output and returns the output's name. */
  node(opType: string, inputs: readonly string[], attributes?: OnnxAttributes): string;
  /** Adds an initializer and returns its name. */
  constant(type: "float" | "int64", values: readonly number[], shape: Shape): string;
}

export type OnnxAttributes = Readonly<
  Record<
    string,
    | { float: number }
    | { int: number }
    | { ints: readonly number[] }
    | { string: string }
    | { elementType: ElementType }
  >
>;

/** One primitive of the vocabulary: its shape rule, its ONNX form, its vector-Jacobian rule. */
export interface Operation<A extends Attributes = Attributes> {
  readonly name: string;
  /** Shape of the result. @throws {RangeError} when the operands do not fit: always a programming error. */
  shape(inputs: readonly Shape[], attributes: A): Shape;
  /** Emits ONNX nodes; returns the name of the result. */
  onnx(emit: OnnxEmitter, inputs: readonly string[], attributes: A, shapes: readonly Shape[]): string;
  /**
   * Gradients towards each input given the gradient towards the result, as further values of the same graph.
   * `undefined` for an input that needs none. Absent for operations that are not differentiable.
   */
  gradient?(value: Value, upstream: Value): readonly (Value | undefined)[];
}

/** A node of a graph: the result of one operation. */
export interface Value {
  readonly graph: Graph;
  readonly id: number;
  readonly operation: Operation | undefined; // undefined for a graph input
  readonly inputs: readonly Value[];
  readonly attributes: Attributes;
  readonly shape: Shape;
  readonly type: ElementType;
}

/** An append-only list of values with named inputs and outputs; inputs of a value always precede it. */
export class Graph {
  readonly values: Value[] = [];
  readonly inputs: Map<string, Value> = new Map();
  readonly outputs: Map<string, Value> = new Map();

  input(name: string, shape: Shape, type: ElementType = "f32"): Value {
    if (this.inputs.has(name)) throw new RangeError(`graph input ${name} is declared twice`);
    const value = this.#append(undefined, [], {}, shape, type);
    this.inputs.set(name, value);
    return value;
  }

  output(name: string, value: Value): void {
    if (this.outputs.has(name)) throw new RangeError(`graph output ${name} is declared twice`);
    this.outputs.set(name, value);
  }

  /** Appends the result of an operation; called by the functions of operations/. */
  apply<A extends Attributes>(
    operation: Operation<A>,
    inputs: readonly Value[],
    attributes: A,
    type?: ElementType,
  ): Value {
    const shape = operation.shape(
      inputs.map((input) => input.shape),
      attributes,
    );
    return this.#append(operation as unknown as Operation, inputs, attributes, shape, type ?? inputs[0]?.type ?? "f32");
  }

  #append(
    operation: Operation | undefined,
    inputs: readonly Value[],
    attributes: Attributes,
    shape: Shape,
    type: ElementType,
  ): Value {
    const value: Value = { graph: this, id: this.values.length, operation, inputs, attributes, shape, type };
    this.values.push(value);
    return value;
  }
}

/** Applies an operation in the graph of its first operand. */
export function apply<A extends Attributes>(
  operation: Operation<A>,
  inputs: readonly Value[],
  attributes: A,
  type?: ElementType,
): Value {
  return inputs[0]!.graph.apply(operation, inputs, attributes, type);
}

/** Throws the RangeError of a shape rule. */
export function shapeMismatch(operation: string, shapes: readonly Shape[]): never {
  throw new RangeError(`${operation} does not take ${shapes.map((shape) => `[${shape.join(", ")}]`).join(" and ")}`);
}

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((size, axis) => size === b[axis]);

/** Shape of an elementwise operation by the usual broadcasting rule (trailing axes aligned; 1 stretches). */
export function broadcastShape(operation: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left !== right && left !== 1 && right !== 1) shapeMismatch(operation, [a, b]);
    return left === 1 ? right : left;
  });
}

export { elementCount };
