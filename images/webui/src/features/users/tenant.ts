/** What users have who were given none. */
export const DEFAULT_TENANT = "default";
/** The shape that the backend takes. */
export const TENANT = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;
