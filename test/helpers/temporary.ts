// Folders that live as long as one test, or as all tests of a file.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, onTestFinished } from "vitest";

/** An empty folder, removed when the running test ends. */
export function temporaryFolder(): string {
  return madeFolder(onTestFinished);
}

/** An empty folder for the tests of a file or a group, removed after the last; called outside of tests. */
export function sharedFolder(): string {
  return madeFolder(afterAll);
}

function madeFolder(whenDone: (remove: () => void) => void): string {
  const folder = mkdtempSync(join(tmpdir(), "comp-test-"));
  whenDone(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
