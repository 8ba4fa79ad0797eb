// Norm of the weight: blind to the activations, a baseline.
import { columnSquares } from "../linalg/norms.ts";
import type { Criterion } from "./criterion.ts";
import { byScore } from "./one-shot.ts";

/** score_j = ‖w_j‖, w_j the column of the projection that input j feeds; needs no calibration. */
export const magnitude: Criterion = byScore(({ weight, inputSize }) => columnSquares(weight, inputSize).map(Math.sqrt));
