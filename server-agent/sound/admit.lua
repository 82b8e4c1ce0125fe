-- Lets programs in once the client's loudspeaker is there: the first one, for which all
-- this is started, sees what every later one sees. Until then PipeWire keeps them waiting,
-- as it does those whom nobody has given permissions.

-- Where no loudspeaker comes they wait no longer for it than this, in milliseconds.
local patience = 5000

local open = false

local function admit (client)
  client:update_permissions { ["any"] = "all" }
end

-- The two managers are global: what is local is collected once this file has been run.
programs = ObjectManager {
  Interest { type = "client", Constraint { "pipewire.access", "!", "unrestricted", type = "pw" } }
}
programs:connect ("object-added", function (_, client)
  if open then
    admit (client)
  end
end)

local function begin ()
  open = true
  for client in programs:iterate () do
    admit (client)
  end
end

-- What a program is connected to, which comes later than the loudspeaker's node.
speakers = ObjectManager {
  Interest { type = "SiLinkable", Constraint { "node.name", "=", "client.speaker" } }
}
speakers:connect ("object-added", begin)
Core.timeout_add (patience, function () begin () return false end)

programs:activate ()
speakers:activate ()
