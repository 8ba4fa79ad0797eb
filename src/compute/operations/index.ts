// All operations.
export * from "./elementwise.ts";
export * from "./linear.ts";
export * from "./normalize.ts";
export * from "./shape.ts";
