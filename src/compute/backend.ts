// What the rest of the program needs of hardware: compile a graph once, run it many times.
import type { Graph } from "./graph.ts";
import type { OnnxOptions } from "./onnx.ts";
import type { Tensor } from "./tensor.ts";

/** A compiled graph. Weights are inputs like any other, so one program serves all layers of a shape. */
export interface Program {
  /**
   * Computes the outputs.
   *
   * @param inputs a tensor for each input of the graph, by name; their data is read in place, not copied
   * @param into   tensors that receive outputs in place; an output may overwrite an input of the same shape
   *               only where each element of it depends on that element alone (accumulation)
   * @returns all outputs by name
   */
  run(
    inputs: Readonly<Record<string, Tensor>>,
    into?: Readonly<Record<string, Tensor>>,
  ): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}

export interface Backend {
  compile(graph: Graph, options?: OnnxOptions): Promise<Program>;
}
