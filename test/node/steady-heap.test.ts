import { expect, test } from "vitest";
import { collectAllGarbage } from "../../src/node/garbage.ts";
import { steadyHeap } from "../../src/node/steady-heap.ts";

const BLOCK_BYTES = 12 * 2 ** 20;
const PAGE_BYTES = 4096;

/** Page faults while three blocks come and go. */
async function faultsOfRound(): Promise<number> {
  const before = process.resourceUsage().minorPageFault;
  for (let i = 0; i < 3; i++) new Uint8Array(BLOCK_BYTES).fill(1);
  collectAllGarbage();
  await new Promise((resolve) => setTimeout(resolve, 5)); // arrays are freed in the background
  return process.resourceUsage().minorPageFault - before;
}

test.skipIf(process.platform !== "linux")(
  "memory that was in use stays with the process for the next use (skipped but on Linux)",
  async () => {
    steadyHeap();
    for (let i = 0; i < 3; i++) await faultsOfRound();
    let faults = 0;
    for (let i = 0; i < 10; i++) faults += await faultsOfRound();
    expect(faults).toBeLessThan((10 * BLOCK_BYTES) / PAGE_BYTES);
  },
);
