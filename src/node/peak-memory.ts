// The most memory that this process has held.
import { readFileSync } from "node:fs";

/**
 * Resident bytes at their highest.
 *
 * Linux counts what the parent held into the figure of getrusage, so that a run started by a large process would look
 * large itself; the high-water mark of /proc begins anew with each program.
 */
export function peakBytes(): number {
  const mark = process.platform === "linux" ? highWaterMark() : undefined;
  return 1024 * (mark ?? process.resourceUsage().maxRSS);
}

/** In kibibytes; undefined without /proc. */
function highWaterMark(): number | undefined {
  try {
    const found = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
    return found === undefined ? undefined : Number(found);
  } catch {
    return undefined;
  }
}
