// Expected failures, caught so that a test can look at them.
import { CompError } from "../../src/errors.ts";

/** The CompError that a promise ends with; anything else fails the test. */
export async function compError(promise: Promise<unknown>): Promise<CompError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof CompError) return error;
    throw error;
  }
  throw new Error("it succeeded");
}
