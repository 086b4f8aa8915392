<?php

use App\Http\Controllers\HeartlineController;
use Illuminate\Support\Facades\Route;

// require this file from routes/api.php; `auth` is whatever guards your API.
Route::middleware('auth')->group(function () {
    Route::get('/token', [HeartlineController::class, 'token']);
    Route::get('/socket-user', [HeartlineController::class, 'socketUser']);
    Route::post('/push', [HeartlineController::class, 'say']);
});
