-- Health of a ModelRollout (tidegate.io): what its operator last said, once that is about the spec as it is now.
-- Argo CD runs this without Lua's string library.
local function health(status, message)
  return { status = status, message = message }
end

local status = obj.status
if status == nil or status.phase == nil then
  return health("Progressing", "The operator has not looked at it yet")
end
if status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "The operator has not seen the last change yet")
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local function holds(kind)
  return conditions[kind] ~= nil and conditions[kind].status == "True"
end

local said = status.message or ""
if status.phase == "Invalid" then
  return health("Degraded", said)
end
if holds("Degraded") and conditions.Degraded.reason == "StableFails" then
  return health("Degraded", "The stable model cannot serve: " .. (conditions.Degraded.message or ""))
end
if status.phase == "Promoted" or status.phase == "Reported" then
  return health("Healthy", said)
end
if status.phase == "RolledBack" then
  return health("Degraded", "Rolled back to " .. (status.stable or "the stable model") .. ": " .. said)
end
if status.phase == "RollingBack" or status.phase == "Concluding" then
  return health("Degraded", "Rolling back: " .. said)
end
if holds("Foreign") then
  return health("Suspended", "Held, somebody else changed what the rollout owns: " .. (conditions.Foreign.message or ""))
end
if obj.spec.paused or (status.state ~= nil and status.state.paused) then
  return health("Suspended", "Paused at " .. status.phase)
end

local weight = status.weights ~= nil and status.weights.canary or 0
local message = status.phase .. ": the new model has " .. weight .. " % of the requests"
if status.waiting ~= nil then
  message = message .. "; " .. status.waiting
end
return health("Progressing", message)
