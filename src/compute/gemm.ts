// Dense products of any shape, f32 or f64, as the linear algebra of src/linalg/ wants them.
import { columnsOf, type Gemm, type GemmOptions, type Matrix, rowsOf } from "../linalg/gemm.ts";
import type { Backend, Program } from "./backend.ts";
import { Graph } from "./graph.ts";
import { gemm } from "./operations/linear.ts";
import type { ElementType, Tensor } from "./tensor.ts";

type Data = Float32Array | Float64Array;

/**
 * Largest piece of a product that goes into memory at hand: onnxruntime's binding for Node makes an array of its own for every
 * output, which then waits for the collector.
 */
const TILE_BYTES = 16 * 2 ** 20;

/** What it solves with has to be exact: the processor computes it wherever the model's graphs run. */
const COMPILED = { anyShape: true, onProcessor: true } as const;

/** A Gemm on a backend; the few programs it needs are compiled when first used. */
export function backendGemm(backend: Backend): Gemm {
  const programs = new Map<string, Promise<Program>>();
  const program = (type: ElementType, options: Required<GemmOptions>, accumulate: boolean): Promise<Program> => {
    const key = `${type} ${options.transA} ${options.transB} ${options.alpha} ${accumulate}`;
    const compiled = programs.get(key) ?? backend.compile(productGraph(type, options, accumulate), COMPILED);
    programs.set(key, compiled);
    return compiled;
  };
  const product = async <D extends Data>(
    a: Matrix<D>,
    b: Matrix<D>,
    options: GemmOptions,
    into?: Matrix<D>,
  ): Promise<Matrix<D>> => {
    const { transA = false, transB = false, alpha = 1 } = options;
    const type = a.data instanceof Float64Array ? "f64" : "f32";
    const inputs = { a: toTensor(a), b: toTensor(b), ...(into ? { c: toTensor(into) } : {}) };
    const compiled = await program(type, { transA, transB, alpha }, into !== undefined);
    const { y } = await compiled.run(inputs, into ? { y: toTensor(into) } : {});
    return into ?? { rows: y!.shape[0]!, cols: y!.shape[1]!, data: y!.data as D };
  };
  return async <D extends Data>(
    a: Matrix<D>,
    b: Matrix<D>,
    options: GemmOptions = {},
    into?: Matrix<D>,
  ): Promise<Matrix<D>> => {
    if (into === undefined || into.data.byteLength <= TILE_BYTES) return product(a, b, options, into);
    const step = Math.max(1, Math.floor((TILE_BYTES / into.data.byteLength) * into.rows));
    for (let start = 0; start < into.rows; start += step) {
      const end = Math.min(start + step, into.rows);
      const left = options.transA ? columnsOf(a, start, end) : rowsOf(a, start, end);
      await product(left, b, options, rowsOf(into, start, end));
    }
    return into;
  };
}

const toTensor = ({ rows, cols, data }: Matrix<Data>): Tensor => ({ data, shape: [rows, cols] });

/** The sizes are placeholders: the program takes any. */
function productGraph(type: ElementType, { transA, transB, alpha }: Required<GemmOptions>, accumulate: boolean): Graph {
  const graph = new Graph();
  const a = graph.input("a", [2, 2], type);
  const b = graph.input("b", [2, 2], type);
  const product = gemm(a, b, {
    transA,
    transB,
    alpha,
    ...(accumulate ? { addTo: graph.input("c", [2, 2], type) } : {}),
  });
  graph.output("y", product);
  return graph;
}
