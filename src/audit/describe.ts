import { z } from 'zod';
import { catalogue, isEventCode } from './catalogue.ts';
import type { Severity } from './catalogue.ts';
import type { EventCode } from './events.ts';
import { schemas, sessionFields } from './schemas.ts';

export interface FieldDescription {
  readonly name: string;
  /** `string`, `integer or null`, `{ code, detail }`, … */
  readonly type: string;
  readonly optional: boolean;
  readonly text: string;
}

export interface EventDescription {
  readonly code: EventCode;
  readonly severity: Severity;
  readonly durable: boolean;
  readonly ocsfClass: number;
  readonly summary: string;
  /** Whether its data begins with what every entry about a session holds. */
  readonly aboutSession: boolean;
  /** Its own fields; those of every session are left out. */
  readonly fields: readonly FieldDescription[];
}

/** Every event of the catalogue in words, for docs/audit.md. */
export function describeEvents(): readonly EventDescription[] {
  return Object.keys(catalogue)
    .filter(isEventCode)
    .map((code) => {
      const { severity, durable, ocsfClass, summary } = catalogue[code];
      const fields = fieldsOf(schemas[code]);
      const aboutSession = fields.some(({ name }) => name === 'seq');
      const own = aboutSession ? fields.filter(({ name }) => !Object.hasOwn(sessionFields, name)) : fields;
      return { code, severity, durable, ocsfClass, summary, aboutSession, fields: own };
    });
}

/** What every entry about a session holds. */
export function describeSession(): readonly FieldDescription[] {
  return fieldsOf(z.strictObject(sessionFields));
}

type JsonSchema = z.core.JSONSchema.BaseSchema;

function fieldsOf(schema: z.ZodType): FieldDescription[] {
  const { properties = {}, required = [] } = z.toJSONSchema(schema);
  return Object.entries(properties).map(([name, property]) => {
    const field = toSchema(property);
    return { name, type: typeName(field), optional: !required.includes(name), text: field.description ?? '' };
  });
}

function typeName(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map((one) => typeName(toSchema(one))).join(' or ');
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (schema.type === 'array') return `list of ${typeName(itemOf(schema))}`;
  if (schema.type === 'object') return `{ ${Object.keys(schema.properties ?? {}).join(', ')} }`;
  if (schema.format === 'date-time') return 'time';
  return Array.isArray(schema.type) ? schema.type.join(' or ') : (schema.type ?? 'any');
}

function itemOf(schema: JsonSchema): JsonSchema {
  if (schema.prefixItems !== undefined) return { type: 'string', enum: ['[first, last]'] };
  return Array.isArray(schema.items) ? {} : toSchema(schema.items ?? {});
}

function toSchema(schema: JsonSchema | boolean): JsonSchema {
  return typeof schema === 'boolean' ? {} : schema;
}
