// The onnxruntime of this machine.
import { availableParallelism } from "node:os";
import * as ort from "onnxruntime-node";
import type { Backend } from "../compute/backend.ts";
import { onnxruntimeBackend } from "../compute/onnxruntime.ts";

/** onnxruntime on the processor, with `threads` threads; undefined = all of them. */
export function nodeBackend(threads?: number): Backend {
  return onnxruntimeBackend(ort, threads ?? availableParallelism());
}
