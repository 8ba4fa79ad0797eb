// Which device computes: the one that is asked for, or a graphics processor where that is clearly faster.
import { fork } from "node:child_process";
import { existsSync } from "node:fs";
import { listSupportedBackends } from "onnxruntime-node";
import type { Backend } from "../compute/backend.ts";
import { type DeviceName, devices } from "../compute/device.ts";
import type { ProductShape } from "../compute/time-product.ts";
import { CompError } from "../errors.ts";
import { widestMlp } from "../model/config/layer-sizes.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { childProgram } from "./child-program.ts";
import type { DeviceAnswer, DeviceJob } from "./device-main.ts";
import { nodeBackend } from "./host.ts";

export interface DeviceRequest {
  readonly device: "auto" | DeviceName;
  readonly threads?: number | undefined;
}

/** A driver that has not answered by then will not. */
const DEADLINE_MILLISECONDS = 60_000;
/** Largest relative difference of a product in f32, summed in another order: half precision, and what has as few bits, is far off. */
const SUMMATION_NOISE = 2e-5;
/** Less is soon lost to what a product alone does not show. */
const CLEARLY_FASTER = 1.5;

/** Sizes of the product that is measured: enough for a graphics processor to show what it can, not more than takes a moment. */
const MOST: ProductShape = { rows: 256, inner: 2048, cols: 4096 };

/**
 * The backend on the device that is asked for; with "auto" on the first that computes a product of the model's shape clearly
 * faster than the processor, else on the processor.
 *
 * @param rows tokens that go through the model together
 * @throws {CompError} "device" when the one asked for is not here, saying which are
 */
export async function openBackend(request: DeviceRequest, spec: DecoderSpec, rows = MOST.rows): Promise<Backend> {
  const { device, threads } = request;
  if (device !== "auto" && device !== "cpu") await requireDevice(device);
  return nodeBackend(threads, device === "auto" ? await fasterDevice(threads, productOf(spec, rows)) : device);
}

const productOf = ({ hiddenSize, layers }: DecoderSpec, rows: number): ProductShape => ({
  rows: Math.min(rows, MOST.rows),
  inner: Math.min(hiddenSize, MOST.inner),
  cols: Math.min(Math.max(widestMlp(layers), hiddenSize), MOST.cols),
});

async function fasterDevice(threads: number | undefined, shape: ProductShape): Promise<DeviceName> {
  if (!mayHaveGraphics()) return "cpu";
  for (const device of listedDevices()) {
    const answer = await look({ device, threads, shape });
    if (isExact(answer) && answer.speedup! >= CLEARLY_FASTER) return device;
  }
  return "cpu";
}

async function requireDevice(device: DeviceName): Promise<void> {
  const answer = await look({ device });
  if (isExact(answer)) return;
  const others = listedDevices().filter((other) => other !== device);
  const looks = await Promise.all(others.map((other) => look({ device: other })));
  const usable = ["cpu", ...others.filter((_, i) => isExact(looks[i]))].join(", ");
  const trouble = answer ? "computes less exactly than f32" : "is not available";
  throw new CompError("device", `${device} ${trouble} on this machine, which has ${usable}`, {
    hint: answer ? "--device cpu computes on the processor" : `${device} needs ${devices[device].needs}`,
  });
}

const isExact = (answer: DeviceAnswer | undefined): answer is DeviceAnswer =>
  answer !== undefined && answer.difference <= SUMMATION_NOISE;

/** What onnxruntime was built with, the processor left out; a driver or a library may still be missing. */
function listedDevices(): DeviceName[] {
  const built = new Set(listSupportedBackends().map(({ name }) => name));
  return (Object.keys(devices) as DeviceName[]).filter((name) => name !== "cpu" && built.has(name));
}

/** Whether graphics are worth the start of a process to look at them: Linux has files for them, other systems always have some. */
const mayHaveGraphics = (): boolean =>
  process.platform !== "linux" ||
  ["/dev/dri", "/dev/dxg", "/dev/nvidiactl"].some((path) => existsSync(path)) ||
  [process.env.VK_ICD_FILENAMES, process.env.VK_DRIVER_FILES].some((files) => files !== undefined);

/** What a device answers; undefined when it does not. */
function look(job: DeviceJob): Promise<DeviceAnswer | undefined> {
  if (!listedDevices().includes(job.device)) return Promise.resolve(undefined);
  const { path, execArgv } = childProgram("device-main");
  const limit = { timeout: DEADLINE_MILLISECONDS, killSignal: "SIGKILL" } as const;
  const child = fork(path, { execArgv, stdio: ["ignore", "ignore", "ignore", "ipc"], ...limit });
  let answer: DeviceAnswer | undefined;
  child.on("message", (message: DeviceAnswer) => {
    answer = message;
  });
  return new Promise((resolve) => {
    child.once("error", () => resolve(undefined));
    child.once("close", () => resolve(answer));
    child.send(job, () => {}); // a process that is gone before it heard us has nothing to say
  });
}
