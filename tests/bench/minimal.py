"""The floor of the runner: the same calls with the same libraries, as one would write them for a run that goes well.

No decisions, no log, nothing is tried again and nothing is checked. Started like the runner, as a module of the same
environment, with the same variables.
"""

import asyncio
import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from bson import ObjectId
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pymongo import AsyncMongoClient, WriteConcern


class Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Councilor(Model):
    namespace: str
    name: str
    uid: str
    title: str


class Agent(Model):
    id: str


class Task(Model):
    prompt: str


class Execution(Model):
    cwd: str
    timeout_seconds: int


class Endpoints(Model):
    conductor_url: str
    gateway_url: str


class Contract(Model):
    councilor: Councilor
    agent: Agent
    task: Task
    execution: Execution
    endpoints: Endpoints


class Report(Model):
    execution_id: str
    task_id: str
    status: str
    severity: str
    summary: str
    recovered: bool
    started_at: datetime
    completed_at: datetime


def severity_of(answer: str) -> str:
    return answer.rstrip().rpartition("SEVERITY: ")[2]


async def run() -> Report:
    contract = Contract.model_validate_json(os.environ["COUNCILOR_CONTRACT"])
    agent, councilor, endpoints = contract.agent.id, contract.councilor, contract.endpoints
    job = os.environ["COUNCILOR_JOB_NAME"]
    task_id = hashlib.sha256(f"{councilor.uid}\n{job}".encode()).hexdigest()[:24]
    scheduled = int(job.rpartition("-")[2]) * 60
    execution = {"execution_id": f"exec_{agent}_{scheduled}_{task_id[:8]}"}
    key, instance, started = {"_id": ObjectId(task_id)}, f"councilor_{agent}_{scheduled * 1000}", datetime.now(UTC)

    mongodb: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(os.environ["MONGODB_URI"])
    async with mongodb, httpx.AsyncClient() as http:
        database = mongodb.get_database("conductor_state", write_concern=WriteConcern("majority"))
        executions = database["councilor_executions"]
        await executions.create_index("execution_id", unique=True)
        await executions.create_index([("councilor_id", 1), ("started_at", -1)])
        owner = {"councilor_id": agent, "namespace": councilor.namespace, "councilor": councilor.name}
        claim = {**key, **owner, "task_id": task_id, "job": job, "started_at": started, "severity": None}
        await executions.find_one_and_update(
            {**execution, "status": "running"}, {"$inc": {"attempts": 1}, "$setOnInsert": claim}, upsert=True
        )
        body = {
            "task_id": task_id,
            "user_input": contract.task.prompt,
            "cwd": contract.execution.cwd,
            "timeout": contract.execution.timeout_seconds,
            "provider": None,
            "instance_id": instance,
            "wait_for_result": False,
            "is_councilor_execution": True,
            "councilor_config": {"title": councilor.title},
        }
        await http.post(f"{endpoints.conductor_url}/agents/{agent}/execute", json=body)
        while True:
            task = (await http.get(f"{endpoints.gateway_url}/api/tasks/{task_id}/details")).json()["task"]
            if task["status"] in ("completed", "error"):
                break
            await asyncio.sleep(0.2)
        query = {"agent_id": agent, "status": task["status"], "limit": "10", "sort": "-created_at"}
        listed = (await http.get(f"{endpoints.gateway_url}/api/tasks", params=query)).json()["tasks"]
        exit_code = next(one["exit_code"] for one in listed if one["_id"] == task_id)

        severity, completed = severity_of(task["result"]), datetime.now(UTC)
        result = {"status": "completed", "severity": severity, "output": task["result"], "exit_code": exit_code}
        await executions.update_one(
            {**execution, "status": "running"}, {"$set": {**result, "completed_at": completed}}, upsert=True
        )
        known = await database["agents"].find_one({"agent_id": agent}, {"_id": 1})
        assert known is not None
        statistics = {"$inc": {"stats.total_executions": 1}, "$set": {"stats.last_execution": completed}}
        await database["agents"].update_one(known, statistics)
        await database["tasks"].update_one(key, {"$set": {"severity": severity}})
        before = {**owner, "started_at": {"$lt": started}, "severity": {"$ne": None}}
        previous = await executions.find_one(before, {"severity": 1}, sort=[("started_at", -1)])
        event = {"task_id": task_id, "agent_id": agent, "instance_id": instance, "severity": severity}
        await http.post(
            f"{endpoints.gateway_url}/api/internal/task-event", json={"type": "task_completed", "data": event}
        )
    return Report(
        execution_id=execution["execution_id"],
        task_id=task_id,
        status="completed",
        severity=severity,
        summary=task["result"][:256],
        recovered=previous is not None and previous["severity"] != "success",
        started_at=started,
        completed_at=completed,
    )


if __name__ == "__main__":
    message = asyncio.run(run()).model_dump_json(by_alias=True)
    Path(os.environ["COUNCILOR_TERMINATION_MESSAGE_PATH"]).write_text(message)
