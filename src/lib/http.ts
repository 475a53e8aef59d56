import type * as Http from 'node:http';
import type * as Https from 'node:https';

/**
 * Node's HTTP modules. An `import` of them reads all that they export, and with it loads a whole WebSocket client,
 * for whose memory a gateway has no use. Asked for like this they give what is used.
 */
export const http: typeof Http = process.getBuiltinModule('node:http');
export const https: typeof Https = process.getBuiltinModule('node:https');
