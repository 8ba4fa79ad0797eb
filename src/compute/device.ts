// What computes: the processor, or what onnxruntime has an execution provider for. A device is one row.
import type { InferenceSession } from "onnxruntime-node";

export interface Device {
  /** As onnxruntime is asked for it. */
  readonly provider: InferenceSession.ExecutionProviderConfig;
  /** What a machine needs for it, in words. */
  readonly needs: string;
}

/** COREML_FLAG_CREATE_MLPROGRAM and COREML_FLAG_USE_CPU_AND_GPU: the neural engine computes in f16. */
const COREML_IN_F32 = 0x10 | 0x20;

/** In the order in which they are tried where none is asked for. */
export const devices = {
  cpu: { provider: "cpu", needs: "nothing" },
  cuda: {
    provider: "cuda",
    needs:
      "Linux on x64 with CUDA 12 and cuDNN 9, and the rest of onnxruntime: ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node",
  },
  webgpu: {
    provider: "webgpu",
    needs: "a graphics processor and its driver: Vulkan on Linux, Direct3D 12 on Windows, Metal on macOS",
  },
  coreml: { provider: { name: "coreml", coreMlFlags: COREML_IN_F32 }, needs: "macOS on Apple silicon" },
  dml: { provider: "dml", needs: "Windows with DirectX 12" },
} as const satisfies Record<string, Device>;

export type DeviceName = keyof typeof devices;
