/** What `sluice init` writes. It passes `sluice check` as it is. */

export const starterConfiguration: string = `# The gateway's configuration. All settings: docs/configuration.md. Check it with: sluice check
apiVersion: sluice/v1
kind: Gateway
# gatewayId: gw-1                # names this gateway in the audit log; default: the host's name

ports:
  - name: orders                 # what policies call this port
    protocol: kafka
    listen: 127.0.0.1:19092      # where clients bootstrap; 0.0.0.0:19092 for clients elsewhere
    # tls: { cert: tls/gateway.pem, key: tls/gateway.key }
    # tls: { cert: …, key: …, clientCa: tls/clients-ca.pem, clientAuth: required }   # client certificates
    advertise:                   # how clients reach each broker: one port per broker …
      host: localhost
      ports: 19093-19112
      firstNodeId: 0             # the broker with this node id gets the first port
    # advertise: { sni: "broker-$(nodeId).orders.example.com", bootstrap: orders.example.com }  # … or one TLS name per broker
    upstream:
      bootstrap: [localhost:9092]
      # tls: { ca: tls/kafka-ca.pem }
      # sasl: { mechanism: SCRAM-SHA-512, username: gateway, password: { env: KAFKA_PASSWORD } }
    authentication:
      mechanisms: [OAUTHBEARER, PLAIN]   # PLAIN takes the token as its password
      allowTokensWithoutTls: true        # REMOVE once this port has tls: tokens now cross the network in the clear

identity:
  issuers:
    - name: corp                         # what policies call this issuer
      issuer: https://idp.example.com    # exactly as tokens carry it in "iss"; keys are found by discovery
      audience: sluice                   # what tokens for this gateway carry in "aud"
      claims: { id: sub, groups: groups, kind: workload }

policies: ./policies                     # a folder; an edit is live within a second

audit:
  directory: ./audit
  mode: strict                           # what cannot be entered in the log is refused

telemetry:
  listen: 127.0.0.1:9464                 # /metrics, /healthz, /readyz
`;

export const starterPolicy: string = `# Who may do what. Nothing is permitted that no policy allows, and deny wins over allow.
# Try it: sluice policy test --principal id=alice,group=payments-eng --action read --topic payments
apiVersion: sluice/v1
kind: Policy
metadata: { name: payments-readers, owner: data-platform }
spec:
  subjects:                              # anyone who matches one of these
    - group: payments-eng
    - { id: settlement-service, issuer: corp }
  allow:
    - port: orders
      topics: [payments, "payments.*"]   # * stays within one dot-separated part, ** crosses parts
      actions: [describe, read]
      consumerGroups: ["payments-*"]
  deny:
    - port: orders
      topics: [payments.secrets]
      actions: ["*"]
`;
