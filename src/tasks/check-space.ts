// Whether the disks have room for what a run will write, as far as the headers tell: before hours of work, not after.
import { CompError } from "../errors.ts";
import { formatBytes } from "../report/format.ts";
import type { MemoryShares, SweepHost } from "../run-context.ts";
import { asideBytes, streamBytes, streamCount, type Work } from "./memory-needs.ts";
import type { Job } from "./prepare.ts";

/** Room for the result. @throws {CompError} "output" when there is none */
export async function checkSpace({ plan }: Job, host: SweepHost): Promise<void> {
  const [needed, free] = [plan.bytes.after, await host.freeBytes()];
  if (free === undefined || free > needed) return;
  throw new CompError("output", `the result takes ${formatBytes(needed)}, the disk has ${formatBytes(free)} left`, {
    hint: "free some space, or choose another disk with --output",
  });
}

/** Room for what waits outside of memory during the run. @throws {CompError} "output" when there is none */
export async function checkScratch({ model: { spec }, method, memory }: Job, host: SweepHost): Promise<void> {
  const [needed, free] = [leastScratchBytes({ spec, method }, memory), await host.freeScratchBytes()];
  if (free === undefined || free > needed) return;
  const message = `temporary files take ${formatBytes(needed)}, their disk has ${formatBytes(free)} left`;
  throw new CompError("output", message, { hint: "free some space, or set TMPDIR to a folder on another disk" });
}

/** Bytes of scratch space that a run takes at least: what is put aside and spilled states, as far as they are not in memory. */
function leastScratchBytes(work: Pick<Work, "spec" | "method">, { states, aside }: MemoryShares): number {
  const stream = streamBytes(work);
  const spilled = stream > states ? streamCount(work) * stream : 0;
  const { entered, factors, sums } = asideBytes(work);
  return Math.max(0, Math.max(entered, factors + sums, factors + spilled) - aside);
}
