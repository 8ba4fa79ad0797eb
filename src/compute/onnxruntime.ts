// Runs graphs with onnxruntime. The module is handed in, so that the same code serves onnxruntime-node and onnxruntime-web.
import type * as Ort from "onnxruntime-node";
import { CompError } from "../errors.ts";
import type { Backend, Program } from "./backend.ts";
import { type DeviceName, devices } from "./device.ts";
import type { Graph } from "./graph.ts";
import { LoneSession } from "./lone-session.ts";
import { toOnnx } from "./onnx.ts";
import { elementCount, type Shape, type Tensor, type TensorData } from "./tensor.ts";

type OrtModule = Pick<typeof Ort, "InferenceSession" | "Tensor">;

/**
 * Blocks of twice this and more the C library of Linux takes from the system, each time anew; smaller ones from a heap, of which it
 * gives nothing back that lies before a block that stays.
 */
const LARGE_BYTES = 16 * 2 ** 20;

type Tensors = Readonly<Record<string, Tensor>>;

/**
 * A backend on an onnxruntime module. What a device has no operator or element type for, onnxruntime computes on the processor.
 *
 * @param threads processor threads for one operation; undefined leaves the choice to onnxruntime
 */
export function onnxruntimeBackend(ort: OrtModule, threads: number | undefined, device: DeviceName = "cpu"): Backend {
  const onProcessor: Ort.InferenceSession.SessionOptions = {
    // An arena keeps all that its session has ever needed; plain allocation gives memory back between layers.
    enableCpuMemArena: false,
    enableMemPattern: false,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    // Each session has threads of its own, which spin for a while after a run: they would take the cores from the next session.
    extra: { session: { intra_op: { allow_spinning: "0" } } },
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
  };
  const onDevice = device === "cpu" ? onProcessor : { ...onProcessor, executionProviders: [devices[device].provider] };
  const told = <T>(work: Promise<T>): Promise<T> =>
    device === "cpu" ? work : work.catch((cause) => gaveUp(device, cause));
  const lone = new LoneSession();
  const run = async (
    session: Ort.InferenceSession,
    inputs: Tensors,
    into: Tensors,
  ): Promise<Record<string, Tensor>> => {
    const results = await told(session.run(wrapAll(ort, inputs), fetches(ort, session.outputNames, into)));
    return Object.fromEntries(session.outputNames.map((name) => [name, into[name] ?? unwrap(results[name]!)]));
  };
  const largeProgram = (model: Uint8Array): Program => {
    const open = () => ort.InferenceSession.create(model, { ...onProcessor, enableCpuMemArena: true });
    return {
      run: (inputs, into = {}) => lone.use(open, (session) => run(session, inputs, into)),
      release: () => lone.close(),
    };
  };
  return {
    device,
    async compile(graph, compileOptions): Promise<Program> {
      const model = toOnnx(graph, compileOptions);
      const options = compileOptions?.onProcessor ? onProcessor : onDevice;
      if (options === onProcessor && isLarge(graph)) return largeProgram(model);
      const session = await told(ort.InferenceSession.create(model, options));
      return {
        async run(inputs, into = {}) {
          await lone.close();
          return run(session, inputs, into);
        },
        release: () => session.release(),
      };
    },
  };
}

/** Whether one of its values is: it then keeps its memory from run to run, as `LoneSession` has it. */
const isLarge = ({ values }: Graph): boolean =>
  values.some(({ operation, shape }) => operation !== undefined && 4 * elementCount(shape) > LARGE_BYTES);

/** @throws {CompError} "device" always, with the first line of what onnxruntime says */
function gaveUp(device: DeviceName, cause: unknown): never {
  const [line] = String((cause as Error).message).split("\n", 1);
  throw new CompError("device", `${device} gave up: ${line}`, {
    cause,
    hint: "--device cpu computes on the processor",
  });
}

function wrapAll(ort: OrtModule, tensors: Tensors): Record<string, Ort.Tensor> {
  return Object.fromEntries(Object.entries(tensors).map(([name, { data, shape }]) => [name, wrap(ort, data, shape)]));
}

function fetches(ort: OrtModule, names: readonly string[], into: Tensors): Record<string, Ort.Tensor | null> {
  return Object.fromEntries(
    names.map((name) => [name, into[name] ? wrap(ort, into[name].data, into[name].shape) : null]),
  );
}

function wrap(ort: OrtModule, data: TensorData, shape: Shape): Ort.Tensor {
  if (data instanceof Float32Array) return new ort.Tensor("float32", data, shape);
  if (data instanceof Uint16Array) return new ort.Tensor("float16", data, shape);
  if (data instanceof Float64Array) return new ort.Tensor("float64", data, shape);
  return new ort.Tensor("int32", data, shape);
}

function unwrap({ type, data, dims }: Ort.Tensor): Tensor {
  if (type !== "float16") return { data: data as TensorData, shape: dims };
  const { buffer, byteOffset, length } = data as Uint16Array; // a Float16Array where the language has one
  return { data: new Uint16Array(buffer, byteOffset, length), shape: dims };
}
