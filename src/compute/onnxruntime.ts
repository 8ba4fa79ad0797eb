// Runs graphs with onnxruntime. The module is handed in, so that the same code serves onnxruntime-node and onnxruntime-web.
import type * as Ort from "onnxruntime-node";
import { CompError } from "../errors.ts";
import type { Backend, Program } from "./backend.ts";
import { type DeviceName, devices } from "./device.ts";
import { toOnnx } from "./onnx.ts";
import type { Shape, Tensor, TensorData } from "./tensor.ts";

type OrtModule = Pick<typeof Ort, "InferenceSession" | "Tensor">;

/**
 * A backend on an onnxruntime module. What a device has no operator or element type for, onnxruntime computes on the processor.
 *
 * @param threads processor threads for one operation; undefined leaves the choice to onnxruntime
 */
export function onnxruntimeBackend(ort: OrtModule, threads: number | undefined, device: DeviceName = "cpu"): Backend {
  const onProcessor: Ort.InferenceSession.SessionOptions = {
    // The arena keeps the peak of every size it has seen; plain allocation gives memory back between layers.
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
  return {
    device,
    async compile(graph, compileOptions): Promise<Program> {
      const options = compileOptions?.onProcessor ? onProcessor : onDevice;
      const session = await told(ort.InferenceSession.create(toOnnx(graph, compileOptions), options));
      return {
        async run(inputs, into = {}) {
          const results = await told(session.run(wrapAll(ort, inputs), fetches(ort, session.outputNames, into)));
          return Object.fromEntries(session.outputNames.map((name) => [name, into[name] ?? unwrap(results[name]!)]));
        },
        release: () => session.release(),
      };
    },
  };
}

/** @throws {CompError} "device" always, with the first line of what onnxruntime says */
function gaveUp(device: DeviceName, cause: unknown): never {
  const [line] = String((cause as Error).message).split("\n", 1);
  throw new CompError("device", `${device} gave up: ${line}`, {
    cause,
    hint: "--device cpu computes on the processor",
  });
}

function wrapAll(ort: OrtModule, tensors: Readonly<Record<string, Tensor>>): Record<string, Ort.Tensor> {
  return Object.fromEntries(Object.entries(tensors).map(([name, { data, shape }]) => [name, wrap(ort, data, shape)]));
}

function fetches(
  ort: OrtModule,
  names: readonly string[],
  into: Readonly<Record<string, Tensor>>,
): Record<string, Ort.Tensor | null> {
  return Object.fromEntries(
    names.map((name) => [name, into[name] ? wrap(ort, into[name].data, into[name].shape) : null]),
  );
}

function wrap(ort: OrtModule, data: TensorData, shape: Shape): Ort.Tensor {
  if (data instanceof Float32Array) return new ort.Tensor("float32", data, shape);
  if (data instanceof Float64Array) return new ort.Tensor("float64", data, shape);
  return new ort.Tensor("int32", data, shape);
}

function unwrap(result: Ort.Tensor): Tensor {
  return { data: result.data as TensorData, shape: result.dims };
}
