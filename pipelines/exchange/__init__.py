"""How a file leaves and arrives: ledger, transport, outbox, inbox, quarantine. What a file says is not known here."""
