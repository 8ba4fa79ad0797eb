// How to verify a checkpoint.
import * as z from "zod";
import { threads } from "./common.ts";

/** How to verify a checkpoint. */
export const VerifyOptions = z.strictObject({ threads });

export type VerifyOptions = z.output<typeof VerifyOptions>;
