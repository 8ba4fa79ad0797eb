// What the rest of the program needs of hardware: compile a graph once, run it many times.
import type { DeviceName } from "./device.ts";
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
   * @throws {CompError} "device" when a device other than the processor gives up
   */
  run(
    inputs: Readonly<Record<string, Tensor>>,
    into?: Readonly<Record<string, Tensor>>,
  ): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}

export interface CompileOptions extends OnnxOptions {
  /** Keeps the graph on the processor, whatever the others run on: linear algebra that has to be as exact as it can be. */
  readonly onProcessor?: boolean;
}

export interface Backend {
  readonly device: DeviceName;
  /** @throws {CompError} "device" when a device other than the processor does not take the graph */
  compile(graph: Graph, options?: CompileOptions): Promise<Program>;
}
