// A look at a device by a process of its own: a driver that fails says so as it likes, and may end the process. One message comes
// in, the job, and one goes out. Nobody imports this file for its values: `fork` starts it (device.ts).
import type { Backend } from "../compute/backend.ts";
import type { DeviceName } from "../compute/device.ts";
import { type ProductShape, productFlops, relativeDifference, timeProduct } from "../compute/time-product.ts";
import { nodeBackend } from "./host.ts";

export interface DeviceJob {
  readonly device: DeviceName;
  readonly threads?: number | undefined;
  /** What the device is to be faster at; undefined when that is no matter. */
  readonly shape?: ProductShape;
}

export interface DeviceAnswer {
  /** ‖Y' − Y‖ / ‖Y‖ of a product Y by the processor and Y' by the device. */
  readonly difference: number;
  /** How many times as fast as the processor the device computes the shape; undefined when none was given. */
  readonly speedup: number | undefined;
}

/** Large enough to take a device some work, small enough for one that is but software. */
const SMALL: ProductShape = { rows: 256, inner: 256, cols: 256 };
/** What would take longer than this at the pace of the small product is not tried. */
const LONGEST_SECONDS = 0.5;

const now = (): number => performance.now() / 1000;

process.on("SIGINT", () => {}); // a terminal sends it to the parent too, which decides
process.on("disconnect", () => process.exit());

// what onnxruntime throws for a device that is not here ends the process, which is answer enough
process.once("message", async ({ device, threads, shape }: DeviceJob) => {
  const [processor, other] = [nodeBackend(threads), nodeBackend(threads, device)];
  const [expected, found] = [await timeProduct(processor, SMALL, now), await timeProduct(other, SMALL, now)];
  const difference = relativeDifference(found.values, expected.values);
  const speedup = shape && (await speedupAt(shape, { processor, other }, found.seconds));
  process.send!({ difference, speedup } satisfies DeviceAnswer, () => process.disconnect());
});

async function speedupAt(
  shape: ProductShape,
  { processor, other }: Readonly<Record<"processor" | "other", Backend>>,
  smallSeconds: number,
): Promise<number> {
  if ((productFlops(shape) / productFlops(SMALL)) * smallSeconds > LONGEST_SECONDS) return 0;
  const slower = await timeProduct(processor, shape, now);
  const faster = await timeProduct(other, shape, now);
  return slower.seconds / faster.seconds;
}
